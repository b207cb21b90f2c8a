import { jsonAnswer, type ApiCall, type Interceptor } from "./fault-proxy.ts";

const LEADER_LEASE = "/apis/coordination.k8s.io/v1/namespaces/rollback-system/leases/rollback-operator";

/** Reading, creating or renewing the Lease that says who leads; target locks are other Leases. */
export function isLeaderLease({ method, path, body }: ApiCall): boolean {
  if (path === LEADER_LEASE) return true;
  if (method !== "POST" || `${path}/rollback-operator` !== LEADER_LEASE) return false;
  return nameOf(body) === "rollback-operator";
}

/**
 * Answers every call about the leader's Lease out of its own memory, so that the client believes to lead whoever
 * else does. All other calls go to `next`.
 */
export function privateLease(next: Interceptor = (_call, forward) => forward()): Interceptor {
  let version = 0;
  let lease: unknown;
  return async (call, forward) => {
    if (!isLeaderLease(call)) return next(call, forward);
    if (call.method === "GET") {
      return lease === undefined ? jsonAnswer(404, notFound) : jsonAnswer(200, lease);
    }
    version += 1;
    const sent = JSON.parse(call.body) as { readonly metadata: object };
    lease = { ...sent, metadata: { ...sent.metadata, uid: "private", resourceVersion: String(version) } };
    return jsonAnswer(call.method === "POST" ? 201 : 200, lease);
  };
}

const notFound = {
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  reason: "NotFound",
  details: { name: "rollback-operator" },
  code: 404,
};

function nameOf(body: string): string | undefined {
  return (JSON.parse(body) as { readonly metadata?: { readonly name?: string } }).metadata?.name;
}
