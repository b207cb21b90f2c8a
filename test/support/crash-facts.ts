import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import type { TargetFacts } from "./crash-world.ts";

type RequestStatus = NonNullable<RollbackRequest["status"]>;

const FINAL = ["Succeeded", "Failed", "Compensated", "Superseded", "Denied", "Expired", "Aborted"];

/** Whether a request has ended and given back what it held. */
export function isAtRest({ metadata, status }: RollbackRequest): boolean {
  return FINAL.includes(status?.phase ?? "") && (metadata.finalizers ?? []).length === 0;
}

/**
 * What is wrong with a target that one request by a person took from v2 back to v1, and with all that was recorded:
 * every sentence is one defect, none is as it should be, whatever happened on the way.
 */
export function defectsOfOneRollback(facts: TargetFacts): readonly string[] {
  const [request, ...others] = facts.requests;
  const { ledger } = facts;
  if (request === undefined || others.length > 0) return [`${facts.requests.length} requests instead of one`];
  const { name, uid } = request.metadata;
  const marks = ledger?.marks.map((mark) => `${mark.revision} by ${mark.request}`);
  const products = ledger?.releases.filter(({ rollbackBy }) => rollbackBy !== undefined);
  const executed = ledger?.executed.map((entry) => `${entry.uid} ${entry.outcome}`);
  return [
    ...differs("image", facts.image, "web:v1"),
    ...differs("revisions", facts.revisions, { "web:v1": "3", "web:v2": "2" }),
    ...differs("accepted writes of the executor", facts.patches.length, 1),
    ...differs("phase", request.status?.phase, "Succeeded"),
    ...differs(`Verified (${messageOf(request.status)})`, statusOf(request.status, "Verified"), "True"),
    ...differs("ledger.executed", executed, [`${uid} Succeeded`]),
    ...differs("ledger.marks", marks, [`2 by ${name}`]),
    ...differs(
      "ledger products",
      products?.map((release) => `${release.revision} by ${release.rollbackBy}`),
      [`3 by ${name}`],
    ),
    ...differs(
      "steps",
      request.status?.steps?.map(({ state, after }) => `${state} ${after?.revision}`),
      ["Succeeded 3"],
    ),
    ...defectsOfEnd(request),
    ...defectsOfHistory(facts.statusWrites(name)),
    ...differs(
      "locks",
      facts.locks.map(({ spec }) => spec?.holderIdentity).filter((holder) => holder?.endsWith(uid)),
      [],
    ),
  ];
}

/** A request that ended holds nothing, and generic readers (kstatus) understand how it ended. */
export function defectsOfEnd(request: RollbackRequest): readonly string[] {
  const { metadata, status } = request;
  const succeeded = status?.phase === "Succeeded";
  return [
    ...differs("finalizers", metadata.finalizers ?? [], []),
    ...differs("observedGeneration", status?.observedGeneration, metadata.generation),
    ...differs("Ready", statusOf(status, "Ready"), succeeded ? "True" : "False"),
    ...differs("Stalled", statusOf(status, "Stalled"), succeeded ? undefined : "True"),
    ...differs("Reconciling", statusOf(status, "Reconciling"), undefined),
  ].map((defect) => `${metadata.name}: ${defect}`);
}

/** Steps only go forward, and nothing is written once a phase is final. */
export function defectsOfHistory(writes: readonly RequestStatus[]): readonly string[] {
  const order = ["Pending", "Planning", "Applying", "Verifying", "Succeeded"];
  const phases = writes.map(({ phase = "" }) => (FINAL.includes(phase) ? "Succeeded" : phase));
  const isForward = phases.every(
    (phase, index) => index === 0 || order.indexOf(phase) >= order.indexOf(phases[index - 1] ?? ""),
  );
  const story = writes.map(({ phase }) => phase).join(" -> ");
  const finals = writes.map(({ phase }) => FINAL.includes(phase ?? ""));
  const contradictions = writes.filter(
    (status) => statusOf(status, "Reconciling") !== undefined && statusOf(status, "Stalled") !== undefined,
  );
  return [
    ...(isForward ? [] : [`phases go back: ${story}`]),
    ...differs(`final status writes in ${story}`, finals.filter(Boolean).length, 1),
    ...differs(`last write final in ${story}`, finals.at(-1), true),
    ...differs("statuses both Reconciling and Stalled", contradictions.length, 0),
  ];
}

export function statusOf(status: RequestStatus | undefined, type: string): string | undefined {
  return status?.conditions?.find((condition) => condition.type === type)?.status;
}

function messageOf(status: RequestStatus | undefined): string {
  return status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "no message";
}

export function differs(what: string, is: unknown, shouldBe: unknown): readonly string[] {
  const [left, right] = [canonical(is), canonical(shouldBe)];
  return left === right ? [] : [`${what} is ${left} instead of ${right}`];
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
