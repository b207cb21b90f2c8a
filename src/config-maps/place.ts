import type { KubeClient } from "../kube/client.ts";

/** Where ConfigMaps and what is kept of them lie: one namespace, read and written as the tenant's account. */
export interface Place {
  readonly executor: KubeClient;
  readonly namespace: string;
  readonly signal: AbortSignal;
}
