import { isForbidden, isNotFound } from "../kube/errors.ts";
import type { ObjectKey, KubeObject, ResourceType } from "../kube/objects.ts";
import { LEADER_LEASE, type RollbackPolicy } from "../kube/rollback-kinds.ts";
import { leaseType, namespaceType, serviceAccountType } from "../kube/well-known.ts";
import type { Finding } from "./finding.ts";
import type { Session } from "./session.ts";

/** The name that the operator may act as everywhere. */
const USUAL_EXECUTOR = "rollback-executor";

/** A leader renews every few seconds, and a new one follows within fifteen. */
const LEADERLESS_AFTER_MS = 30_000;

type Look<T> = { readonly kind: "Found"; readonly object: T } | { readonly kind: "Absent" | "Forbidden" };

async function look<T extends KubeObject>(
  { client, signal }: Session,
  type: ResourceType<T>,
  key: ObjectKey,
): Promise<Look<T>> {
  try {
    return { kind: "Found", object: await client.get(type, key, { signal }) };
  } catch (error) {
    if (isForbidden(error)) return { kind: "Forbidden" };
    if (isNotFound(error)) return { kind: "Absent" };
    throw error;
  }
}

/** A list in a namespace that does not exist is empty, not refused. Nothing for who may not look. */
export async function namespaceFindings(session: Session): Promise<readonly Finding[]> {
  const { namespace } = session;
  const found = await look(session, namespaceType, { namespace: "", name: namespace });
  if (found.kind !== "Absent") return [];
  return [{ check: "namespace", state: "Failed", message: `namespace ${namespace} does not exist` }];
}

/** Whether the accounts that act here exist. */
export async function executorFindings(
  session: Session,
  policies: readonly RollbackPolicy[],
): Promise<readonly Finding[]> {
  const { namespace } = session;
  const named = policies.flatMap(({ spec }) => spec.serviceAccountName ?? []);
  const names = [...new Set([...named, USUAL_EXECUTOR])];
  const findings = names.map(async (name): Promise<readonly Finding[]> => {
    const found = await look(session, serviceAccountType, { namespace, name });
    if (found.kind === "Forbidden") return [];
    const exists = found.kind === "Found";
    const message = exists
      ? `ServiceAccount ${name} exists; a plan asks for its rights`
      : `ServiceAccount ${name} does not exist, so nothing can be done as it: kubectl apply -n ${namespace} -f examples/executor.yaml`;
    return [{ check: "executor", state: exists ? "Ok" : "Warning", message }];
  });
  return (await Promise.all(findings)).flat();
}

/** Whether somebody leads, as its Lease tells. Nothing for who may not look, and where the Lease is elsewhere. */
export async function leaderFindings(session: Session): Promise<readonly Finding[]> {
  const found = await look(session, leaseType, LEADER_LEASE);
  if (found.kind !== "Found") return [];
  const { renewTime, holderIdentity } = found.object.spec ?? {};
  const age = session.clock.now() - Date.parse(renewTime ?? "");
  const isHeld = (holderIdentity ?? "") !== "" && age < LEADERLESS_AFTER_MS;
  if (isHeld) return [{ check: "leader", state: "Ok", message: `${holderIdentity} leads` }];
  const message = `nobody leads since ${renewTime ?? "ever"}: an admin looks at the operator's pods in namespace ${LEADER_LEASE.namespace}`;
  return [{ check: "leader", state: "Failed", message }];
}
