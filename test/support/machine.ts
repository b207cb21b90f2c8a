import { setTimeout as sleep } from "node:timers/promises";
import { microTime } from "../../src/kube/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { leaseType } from "../../src/kube/well-known.ts";

interface Node extends KubeObject {
  readonly spec: object;
}

const nodeType = defineResource<Node>({
  apiVersion: "v1",
  kind: "Node",
  plural: "nodes",
  namespaced: false,
});

/** Well below the time after which a node counts as lost, which makes its pods unready. */
const RENEW_MS = 5_000;

/**
 * A node that is Ready, kept so by its lease: Kubernetes makes endpoints only of pods whose node is there. Put pods on it
 * by their `nodeName`. Resolves once it is there; it is kept alive until `stop`.
 */
export async function startMachine(client: KubeClient, name: string): Promise<{ stop(): Promise<void> }> {
  const over = new AbortController();
  const { signal } = over;
  const at = new Date().toISOString();
  await client.create(nodeType, { metadata: { name }, spec: {} }, { signal });
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", message: "", lastHeartbeatTime: at };
  await client.patch(
    nodeType,
    { namespace: "", name },
    mergePatch({ status: { conditions: [{ ...ready, lastTransitionTime: at }] } }),
    { signal, subresource: "status" },
  );
  const key = { namespace: "kube-node-lease", name };
  const spec = () => ({ holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime(Date.now()) });
  await client.create(leaseType, { metadata: key, spec: spec() }, { signal });
  const renewing = (async () => {
    for (;;) {
      await sleep(RENEW_MS, undefined, { signal });
      await client.patch(leaseType, key, mergePatch({ spec: spec() }), { signal });
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return {
    async stop() {
      over.abort();
      await renewing;
    },
  };
}
