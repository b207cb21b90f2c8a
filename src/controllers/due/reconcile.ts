import type { TargetKey } from "../../actions/action.ts";
import type { LedgerDue } from "../../crds/temporary-change.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { parseKey } from "../../kube/objects.ts";
import { ROLLBACK_LEDGERS, ROLLBACK_REQUESTS, type RollbackLedger } from "../../kube/rollback-kinds.ts";
import { valueText } from "../../workloads/value-text.ts";
import { nextDueAt, removeDue } from "../ledger/due.ts";
import { changeLedger } from "../ledger/ledger.ts";
import { checkExecutor } from "../request/executor.ts";
import { finisher } from "../request/target-lock.ts";
import { finishDue, rightsToFinish } from "./finish-due.ts";
import type { DuePorts } from "./ports.ts";

/** A change of the kill switch wakes us; this bounds one that is lost. */
const STOPPED_POLL_MS = 5_000;
/** A request on the same target takes its time, and nothing wakes us at its end. */
const BUSY_POLL_MS = 5_000;
/** What a person has to mend, such as a right. */
const STUCK_POLL_MS = 60_000;

/** Finishes the temporary changes of one ledger that are due, one at a time. Throws KubeError. */
export async function reconcileDue(
  ports: DuePorts,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const ledger = await ports.client.tryGet(ROLLBACK_LEDGERS, parseKey(key), { signal });
  const next = ledger === undefined ? undefined : nextDueAt(ledger.spec);
  if (ledger === undefined || next === undefined) return { done: true };
  const now = ports.clock.now();
  if (next > now) return { afterMs: next - now };
  // One that cannot be read might be on, and nobody waits for this.
  if (ports.killSwitch().kind !== "Off") return { afterMs: STOPPED_POLL_MS };
  const results: Result[] = [];
  for (const due of ledger.spec.due ?? []) {
    if (Date.parse(due.dueAt) <= now) results.push(await underLock(ports, ledger, due, signal));
  }
  if (results.includes("Stuck")) return { afterMs: STUCK_POLL_MS };
  return { afterMs: results.includes("Busy") ? BUSY_POLL_MS : 0 };
}

/** Stuck: a person has to do something first. */
type Result = "Ended" | "Busy" | "Stuck";

/** No request acts on the object meanwhile, and none can have counted on it since. */
async function underLock(
  ports: DuePorts,
  ledger: RollbackLedger,
  due: LedgerDue,
  signal: AbortSignal,
): Promise<Result> {
  const targets = [ledger.spec.target, ...objectsOf(ledger, due)];
  const holder = finisher(ledger);
  const lock = await ports.locks.takeAll(targets, holder, ports.clock.now(), signal);
  if (lock.kind === "Busy") return "Busy";
  try {
    return await finishIfStill(ports, ledger, due, signal);
  } finally {
    await ports.locks.releaseAll(targets, holder, signal);
  }
}

async function finishIfStill(
  ports: DuePorts,
  ledger: RollbackLedger,
  due: LedgerDue,
  signal: AbortSignal,
): Promise<Result> {
  const { namespace = "", name } = ledger.metadata;
  const stored = await ports.client.tryGet(ROLLBACK_LEDGERS, { namespace, name }, { signal });
  // Whoever had the lock before us may have taken it out, or put it off.
  const isStill = stored?.spec.due?.some((each) => isSameEntry(each, due)) ?? false;
  if (!isStill) return "Ended";
  const account = { namespace, name: due.serviceAccountName };
  const able = await checkExecutor(ports.client, account, rightsToFinish(due), signal);
  if (able.kind === "Refused") return stuck(ports, ledger, due, able.message);
  const acting = { executor: ports.client.as(account), namespace, signal };
  const result = await finishDue(due, acting);
  switch (result.kind) {
    case "Refused":
    case "Preparing":
      return stuck(ports, ledger, due, result.message);
    case "Applied":
    case "Superseded":
      await changeLedger(ports.client, ledger.spec.target, (spec) => removeDue(spec, due), signal);
      if (result.kind === "Applied") {
        // By us before a crash, by others, or it was never changed: then it was found as it was to be left.
        const how = result.alreadyThere ? "is at" : "set to";
        tell(ports, ledger, due, "Finished", `${due.object} ${how} ${valueText(due, due.restore)}`);
      } else tell(ports, ledger, due, "Kept", `${due.object} is left as it is: ${result.message}`);
      return "Ended";
  }
}

/** The workload that is written; an autoscaler is no target of a request. */
function objectsOf({ metadata }: RollbackLedger, { change, object }: LedgerDue): readonly TargetKey[] {
  if (change !== "Replicas") return [];
  const [kind = "", name = ""] = object.split("/");
  return [{ group: "apps", kind, namespace: metadata.namespace ?? "", name }];
}

function isSameEntry(a: LedgerDue, b: LedgerDue): boolean {
  return (
    a.requestUid === b.requestUid &&
    a.step === b.step &&
    a.change === b.change &&
    a.objectUid === b.objectUid &&
    a.dueAt === b.dueAt
  );
}

function tell(
  ports: DuePorts,
  ledger: RollbackLedger,
  due: LedgerDue,
  result: "Finished" | "Kept",
  message: string,
): void {
  const { namespace = "" } = ledger.metadata;
  ports.onFinished({
    request: `${namespace}/${due.request}`,
    step: due.step,
    executor: due.serviceAccountName,
    object: `${namespace}/${due.object}`,
    result,
    message,
  });
  const isFinished = result === "Finished";
  ports.record({
    type: isFinished ? "Normal" : "Warning",
    reason: isFinished ? "TemporaryChangeFinished" : "TemporaryChangeKept",
    action: "FinishTemporaryChange",
    note: `step ${due.step}: ${message}`,
    regarding: requestOf(namespace, due),
    related: { apiVersion: ledger.apiVersion, kind: ledger.kind, namespace, name: ledger.metadata.name },
  });
}

function stuck(ports: DuePorts, ledger: RollbackLedger, due: LedgerDue, why: string): Result {
  const { namespace = "" } = ledger.metadata;
  ports.record({
    type: "Warning",
    reason: "TemporaryChangeStuck",
    action: "FinishTemporaryChange",
    note: `step ${due.step}: ${due.object} cannot be set to ${valueText(due, due.restore)}, will be tried again: ${why}`,
    regarding: requestOf(namespace, due),
  });
  return "Stuck";
}

/** The request may be gone by now; whoever looks for events of its name finds this one. */
function requestOf(namespace: string, { request, requestUid }: LedgerDue) {
  const { apiVersion, kind } = ROLLBACK_REQUESTS;
  return { apiVersion, kind, namespace, name: request, uid: requestUid };
}
