import type { ApplyResult } from "../../actions/action.ts";
import { digestOf } from "../../actions/digest.ts";
import { rightsToMove, type Acting } from "../../actions/live-value.ts";
import { moveValue } from "../../actions/move-value.ts";
import { superseded } from "../../actions/results.ts";
import { parseObject, readTarget } from "../../actions/scale-target.ts";
import { servicesOnlyOn } from "../../actions/services-only-on.ts";
import type { ChangeCondition, LedgerDue } from "../../crds/temporary-change.ts";
import { FREEZE, frozenBy } from "../policy/annotations.ts";
import type { Right } from "../../kube/right.ts";
import { serviceType } from "../../kube/well-known.ts";

/** What finishing it takes. */
export function rightsToFinish(due: LedgerDue): readonly Right[] {
  const services = { apiGroup: "", resource: "services" };
  return [
    ...rightsToMove(due),
    ...(due.onlyWhile === undefined
      ? []
      : [{ ...services, verb: "get", name: nameOf(due.onlyWhile.object) }]),
    ...(takesAway(due) ? [{ ...services, verb: "list" }] : []),
  ];
}

/**
 * Sets the value from then on, as the executor: only if the object is as it was left, if the traffic is where it was
 * left, and if nobody else has come to need it (else Superseded); Refused while it is frozen. Safe to repeat. Throws
 * KubeError.
 */
export async function finishDue(due: LedgerDue, acting: Acting): Promise<ApplyResult> {
  const { change, object, objectUid, during, restore } = due;
  const frozen = await frozenText(due, acting);
  if (frozen !== undefined) return { kind: "Refused", reason: "Frozen", message: frozen };
  const moved = due.onlyWhile === undefined ? undefined : await movedOn(due.onlyWhile, acting);
  if (moved !== undefined) return superseded(moved);
  if (takesAway(due)) {
    const workload = await readTarget(acting.executor, acting.namespace, parseObject(object), acting.signal);
    const except = due.onlyWhile === undefined ? "" : nameOf(due.onlyWhile.object);
    const needing = workload === undefined ? [] : await servicesOnlyOn(workload, except, acting);
    if (needing.length > 0) {
      return superseded(`Service/${needing.join(", Service/")} has no other pods than those of ${object}`);
    }
  }
  return moveValue({ change, object, objectUid, from: during, to: restore }, acting);
}

/** Somebody wants nothing to move: it is finished when that is over. */
async function frozenText({ change, object }: LedgerDue, acting: Acting): Promise<string | undefined> {
  if (change !== "Replicas") return undefined;
  const { kind, name } = parseObject(object);
  const workload = await readTarget(acting.executor, acting.namespace, { kind, name }, acting.signal);
  if (workload === undefined) return undefined;
  const frozen = frozenBy([{ kind, metadata: workload.workload.metadata }]);
  return frozen === undefined ? undefined : `${frozen} has the annotation ${FREEZE}: remove it`;
}

/** It leaves a workload without pods. */
function takesAway({ change, restore }: LedgerDue): boolean {
  return change === "Replicas" && restore === 0;
}

/** What is other than it was when the change was made; undefined when nothing is. */
async function movedOn(
  { object, objectUid, selectorDigest }: ChangeCondition,
  { executor, namespace, signal }: Acting,
): Promise<string | undefined> {
  const service = await executor.tryGet(serviceType, { namespace, name: nameOf(object) }, { signal });
  if (service === undefined) return `${object} is gone`;
  if (service.metadata.uid !== objectUid) return `${object} was deleted and created again`;
  return digestOf(service.spec.selector ?? {}) === selectorDigest
    ? undefined
    : `the selector of ${object} is another one now`;
}

function nameOf(object: string): string {
  return object.slice(object.indexOf("/") + 1);
}
