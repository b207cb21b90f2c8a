import type { KubeClient } from "../../../src/kube/client.ts";
import { kubeconfigOf } from "../../../src/cli/session.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createKubeClient } from "../../../src/kube/http-client.ts";
import { createTransport } from "../../../src/kube/transport.ts";
import { ensureBinaries } from "../../cluster/binaries.ts";
import { findProgram } from "../../cluster/run-command.ts";
import { type Kubectl, kubectlWith } from "../../support/kubectl.ts";

/** The user's own kubectl, or one built here; always with the context named, never with the current one. */
export async function contextKubectl(context: string): Promise<Kubectl> {
  return kubectlWith(await contextCommand(context));
}

export async function contextCommand(context: string): Promise<readonly string[]> {
  const program = findProgram("kubectl") ?? (await ensureBinaries(["kubectl"])).kubectl;
  return [program, "--context", context];
}

/** The cluster with the user's own rights. Throws when the kubeconfig has no such context. */
export async function contextClient(context: string): Promise<KubeClient> {
  const clock = systemClock();
  const kubeconfig = kubeconfigOf(undefined, process.env);
  if (kubeconfig === undefined) throw new Error("no kubeconfig that could hold a context: set KUBECONFIG");
  const credentials = await loadCredentials({ kubeconfig, context, clock });
  const transport = createTransport({ credentials, clock, random: Math.random, userAgent: "demo" });
  return createKubeClient({ transport, clock });
}
