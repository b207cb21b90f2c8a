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
    return { kubectl, client, services: await createContextServices(demo, kubectl, signal) };
  }
  const stage = readStage(demo.stageFile);
  if (runningServices(demo).length > 0) waiting("ending the processes of an earlier run");
  await stopServices(demo);
  return {
    kubectl: await kubectlFor(stage.kubeconfigPath),
    client: adminClient(stage, "demo").client,
    services: await createServices(demo),
  };
}
