import { isDeepStrictEqual } from "node:util";
import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { RollbackRequestSpec } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

/** The spec of the request that a recorded decision makes, with every default that the API server fills in. */
export function automaticRequestSpec(
  { trigger, podTemplateHash, action, plan, expiresAfter, runAfter }: LedgerAutomatic,
  severity: RollbackRequestSpec["severity"],
): RollbackRequestSpec {
  const proposal = {
    approval: "Required",
    ...(expiresAfter === undefined ? {} : { expiresAfter }),
    ...(runAfter === undefined ? {} : { runAfter }),
  };
  return RollbackRequestSpec.parse({
    reason: trigger.sentence ?? "",
    policyRef: { name: trigger.policy },
    ...(plan === undefined ? {} : { plan }),
    ...(action === "Propose" ? proposal : {}),
    expect: { podTemplateHash },
    ...(severity === undefined ? {} : { severity }),
  });
}

/**
 * Whether the object is the request of a recorded decision: the very object, once it has acted; before, one that says
 * just what the decision says. A spec never changes, and its reason holds a measurement, so nobody makes it beforehand;
 * whoever makes an equal one afterwards has made the same rollback.
 */
export function isRequestOf(
  entry: LedgerAutomatic,
  { metadata, spec }: Pick<RollbackRequest, "metadata" | "spec">,
): boolean {
  if (entry.uid !== undefined) return metadata.uid === entry.uid;
  return (
    metadata.name === entry.request && isDeepStrictEqual(spec, automaticRequestSpec(entry, spec.severity))
  );
}

/** When it was decided; of a proposal, which may act much later, when its act was announced, once it was. Ms. */
export function actedAt(
  { action, uid, at }: LedgerAutomatic,
  { executed }: Pick<RollbackLedgerSpec, "executed">,
): number {
  const announced =
    action !== "Propose" || uid === undefined ? undefined : executed.findLast((each) => each.uid === uid);
  return Date.parse(announced?.at ?? at);
}

/** What people made of a decision that did not act: it outlives the request, which anybody may delete. */
export function recordAnswer(
  ledger: RollbackLedgerSpec,
  { request }: LedgerAutomatic,
  answer: NonNullable<LedgerAutomatic["answer"]>,
): RollbackLedgerSpec {
  const index = ledger.automatic.findIndex(
    (each) => each.request === request && each.uid === undefined && each.answer === undefined,
  );
  const entry = ledger.automatic[index];
  return entry === undefined
    ? ledger
    : { ...ledger, automatic: ledger.automatic.with(index, { ...entry, answer }) };
}

/** Binds a decision to the object that acts on it; from then on nothing else of that name is taken for it. */
export function bindAutomatic(
  ledger: RollbackLedgerSpec,
  automatic: LedgerAutomatic | undefined,
  uid: string,
): RollbackLedgerSpec {
  if (automatic === undefined || automatic.uid !== undefined) return ledger;
  const { request } = automatic;
  return {
    ...ledger,
    automatic: ledger.automatic.map((each) =>
      each.request === request && each.uid === undefined ? { ...each, uid } : each,
    ),
  };
}
