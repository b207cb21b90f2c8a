import type { GitOpsReader } from "../gitops/chain.ts";
import type { KubeClient } from "../kube/client.ts";
import type { ObjectKey } from "../kube/objects.ts";

/** How the tools' objects are reached: as the hold account, never as a tenant's executor. */
export interface GitOpsPorts {
  reader(signal: AbortSignal): GitOpsReader;
}

export interface GitOpsSettings {
  readonly account: ObjectKey;
  /** Where Argo CD itself runs. */
  readonly argoCdNamespace: string;
}

/** `client` acts as the operator, which may act as the hold account; the settings may change. */
export function gitOpsPorts(client: KubeClient, settings: () => GitOpsSettings): GitOpsPorts {
  return {
    reader(signal) {
      const { account, argoCdNamespace } = settings();
      return { client: client.as(account), argoCdNamespace, signal };
    },
  };
}
