import type { KubeClient } from "../../src/kube/client.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { adminClient } from "./admin-client.ts";
import { contextClient, contextKubectl } from "./context/access.ts";
import { createContextServices } from "./context/services.ts";
import { type DemoLayout, readStage } from "./demo-layout.ts";
import { createServices, runningServices, type Services, stopServices } from "./services.ts";

/** The cluster that the story plays on, prepared, and what runs on it beside the operator. */
export interface Ground {
  readonly kubectl: Kubectl;
  readonly client: KubeClient;
  readonly services: Services;
  /** Whether the cluster knows the Gateway API's HTTPRoute; one of a user's own gets no kinds but the operator's. */
  readonly hasRoutes: boolean;
}

/** Ends what an earlier story left running. */
export async function openGround(
  demo: DemoLayout,
  waiting: (text: string) => void,
  signal: AbortSignal,
): Promise<Ground> {
  if (demo.context !== undefined) {
    const kubectl = await contextKubectl(demo.context);
    const client = await contextClient(demo.context);
    const services = await createContextServices(demo, kubectl, signal);
    return { kubectl, client, services, hasRoutes: await servesRoutes(kubectl) };
  }
  const stage = readStage(demo.stageFile);
  if (runningServices(demo).length > 0) waiting("ending the processes of an earlier run");
  await stopServices(demo);
  const kubectl = await kubectlFor(stage.kubeconfigPath);
  return {
    kubectl,
    client: adminClient(stage, "demo").client,
    services: await createServices(demo),
    hasRoutes: await servesRoutes(kubectl),
  };
}

async function servesRoutes(kubectl: Kubectl): Promise<boolean> {
  const { code, stdout } = await kubectl.attempt(["get", "--raw", "/apis/gateway.networking.k8s.io/v1"]);
  return code === 0 && stdout.includes('"httproutes"');
}
