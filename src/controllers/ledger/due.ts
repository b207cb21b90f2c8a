import { isDeepStrictEqual } from "node:util";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import { parseDuration } from "../../crds/duration.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { LedgerDue, TemporaryChange } from "../../crds/temporary-change.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

/** Bound of the list, as the schema has it. */
const MAX_DUE = 50;

/** A step of a request, as far as its temporary changes are concerned. */
export interface DueOwner {
  readonly request: string;
  readonly requestUid: string;
  readonly serviceAccountName: string;
  readonly planned: PlannedStep;
  /** Everything that the step's request may write, as Kind/name. */
  readonly objects: readonly string[];
}

/**
 * Writes down, before the first of them is made, what a step changes for a time. Until its end is known it is due at
 * `latestEnd` (ms) plus the hold. What older requests wanted of the same objects is void: a number that this step
 * relies on must not be taken away under it. Throws RangeError when the list is full. Pure.
 */
export function recordDue(
  ledger: RollbackLedgerSpec,
  owner: DueOwner,
  latestEnd: number,
): RollbackLedgerSpec {
  const { planned, requestUid, objects } = owner;
  const changes = planned.temporary ?? [];
  const fresh = changes.map((change) => entryOf(owner, change, latestEnd));
  const kept = (ledger.due ?? []).filter((due) =>
    due.requestUid === requestUid
      ? due.step !== planned.name
      : !(due.change === "Replicas" && objects.includes(due.object)) &&
        !changes.some((change) => isSameField(change, due)),
  );
  return withDue(ledger, [...kept, ...fresh]);
}

/**
 * The step came to its end at `end` (ms): from now the hold counts. What was to be undone had the step not come to its
 * end is void. Entries that somebody deleted with the ledger come back. Pure.
 */
export function startHold(ledger: RollbackLedgerSpec, owner: DueOwner, end: number): RollbackLedgerSpec {
  const { planned, requestUid } = owner;
  const others = (ledger.due ?? []).filter((due) => !isOf(due, requestUid, planned.name));
  const lasting = (planned.temporary ?? []).filter((change) => !isOnlyBefore(change, planned));
  return withDue(ledger, [...others, ...lasting.map((change) => entryOf(owner, change, end))]);
}

/**
 * The request has ended. Of one that did not succeed only what was raised is put back; what a step would have taken away
 * after its success stays. Of steps that never began nothing was made. Pure.
 */
export function settleDue(
  ledger: RollbackLedgerSpec,
  { metadata, status }: RollbackRequest,
): RollbackLedgerSpec {
  if (status?.phase === "Succeeded") return ledger;
  const kept = (ledger.due ?? []).filter((due) => {
    if (due.requestUid !== metadata.uid) return true;
    const began = status?.steps?.find(({ name }) => name === due.step)?.startedAt !== undefined;
    return (
      began &&
      wasRaised(
        due,
        status?.plan?.steps.find(({ name }) => name === due.step),
      )
    );
  });
  return withDue(ledger, kept);
}

/** Takes one entry out, finished or not any more possible. Pure. */
export function removeDue(ledger: RollbackLedgerSpec, entry: LedgerDue): RollbackLedgerSpec {
  const kept = (ledger.due ?? []).filter(
    (due) =>
      !(isOf(due, entry.requestUid, entry.step) && isSameField(due, entry) && due.restore === entry.restore),
  );
  return withDue(ledger, kept);
}

/** When the next of them is due, milliseconds since the epoch. */
export function nextDueAt({ due = [] }: Pick<RollbackLedgerSpec, "due">): number | undefined {
  return due.length === 0 ? undefined : Math.min(...due.map(({ dueAt }) => Date.parse(dueAt)));
}

function withDue(ledger: RollbackLedgerSpec, due: readonly LedgerDue[]): RollbackLedgerSpec {
  const before = ledger.due ?? [];
  const isSame = before.length === due.length && before.every((entry, index) => isEqual(entry, due[index]));
  if (isSame) return ledger;
  // Dropping one would leave it unfinished for ever.
  if (due.length > MAX_DUE)
    throw new RangeError(`more than ${MAX_DUE} temporary changes of one object wait to be finished`);
  const { due: _, ...rest } = ledger;
  return due.length === 0 ? rest : { ...rest, due: [...due] };
}

function entryOf(owner: DueOwner, change: TemporaryChange, end: number): LedgerDue {
  const { request, requestUid, serviceAccountName, planned } = owner;
  const { holdFor, found: _, ...what } = change;
  const dueAt = new Date(end + parseDuration(holdFor)).toISOString();
  return { ...what, dueAt, request, requestUid, step: planned.name, serviceAccountName };
}

/** It is undone only while the object is as it was before the step. */
function isOnlyBefore({ onlyWhile }: TemporaryChange, { from }: PlannedStep): boolean {
  return onlyWhile !== undefined && onlyWhile.selectorDigest === from?.selectorDigest;
}

function wasRaised(due: LedgerDue, planned: PlannedStep | undefined): boolean {
  const change = planned?.temporary?.find((each) => isSameField(each, due));
  return change === undefined || change.found !== change.during;
}

function isOf(due: LedgerDue, requestUid: string, step: string): boolean {
  return due.requestUid === requestUid && due.step === step;
}

type Field = Pick<LedgerDue, "change" | "objectUid">;

function isSameField(a: Field, b: Field): boolean {
  return a.change === b.change && a.objectUid === b.objectUid;
}

function isEqual(a: LedgerDue, b: LedgerDue | undefined): boolean {
  return isDeepStrictEqual(a, b);
}
