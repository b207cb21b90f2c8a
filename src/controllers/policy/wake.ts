import { keyOf, type ObjectMeta } from "../../kube/objects.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { priorities, type WorkQueue } from "../../kube/work-queue.ts";
import { requestTargets } from "../request/request-controller.ts";
import { requestPolicy } from "./history.ts";
import { POLICIES_BY_TARGET, policyTarget, type PolicyPorts } from "./ports.ts";

/**
 * Queues all policies that are there, behind whatever is urgent. A function of its own: a loop in an async function that
 * goes on for the life of the process would keep its list, and with it every policy as it was at the start.
 */
export function queueAll(
  policies: Pick<PolicyPorts["policies"], "list">,
  queue: Pick<WorkQueue, "add">,
): void {
  for (const policy of policies.list()) queue.add(keyOf(policy), { priority: priorities.resync });
}

/**
 * Queues the policies that a change concerns: of the policy itself, its target and the target's revisions, ledger and
 * requests. Between changes nothing looks at these. Returns how to stop.
 */
export function wakeOnChanges(ports: PolicyPorts, queue: Pick<WorkQueue, "add">): readonly (() => void)[] {
  const wakeTarget = (target: string) => {
    for (const policy of ports.policies.byIndex(POLICIES_BY_TARGET, target)) queue.add(keyOf(policy));
  };
  return [
    ports.policies.onChange((change) => {
      // Others on the same target may now own it, or own it no more.
      policyTarget(change.object).forEach(wakeTarget);
      queue.add(keyOf(change.object));
      if (change.type === "updated") policyTarget(change.previous).forEach(wakeTarget);
    }),
    ports.deployments.onChange(({ object: { metadata } }) =>
      wakeTarget(`${metadata.namespace}/Deployment/${metadata.name}`),
    ),
    ports.replicaSets.onChange((change) => {
      // Its replicas change all the time; that is seen at the Deployment.
      if (change.type === "updated" && isSameRevision(change.object.metadata, change.previous.metadata))
        return;
      const { namespace, ownerReferences = [] } = change.object.metadata;
      for (const { kind, name } of ownerReferences) wakeTarget(`${namespace}/${kind}/${name}`);
    }),
    ports.ledgers.onChange(({ object }) => {
      const { namespace, kind, name } = object.spec.target;
      wakeTarget(`${namespace}/${kind}/${name}`);
    }),
    ports.requests.onChange((change) => {
      if (change.type === "updated" && isSameStage(change.object, change.previous)) return;
      requestTargets(change.object).forEach(wakeTarget);
      for (const key of requestPolicy(change.object)) queue.add(key);
    }),
    ports.servers.onChange(() => {
      for (const policy of ports.policies.list()) queue.add(keyOf(policy));
    }),
  ];
}

/** The cache holds nothing of a ReplicaSet but its identity. */
function isSameRevision(one: ObjectMeta, other: ObjectMeta): boolean {
  return JSON.stringify([one.annotations, one.labels]) === JSON.stringify([other.annotations, other.labels]);
}

/** Progress within a phase is nothing to a policy. */
function isSameStage(one: RollbackRequest, other: RollbackRequest): boolean {
  return (
    one.status?.phase === other.status?.phase && requestTargets(one).join() === requestTargets(other).join()
  );
}
