import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { TargetKey } from "../../actions/action.ts";
import { formatDuration } from "../../crds/duration.ts";
import { isActing, type ActingDecision, type Decision } from "../../decision/decide.ts";
import { effectiveMatrix } from "../../decision/default-matrix.ts";
import type { PlanView } from "../../decision/guards/guard.ts";
import { WHOLE } from "../../decision/sample.ts";
import { automaticRequestName } from "../../decision/request-name.ts";
import { formatValue } from "../../decision/sentence.ts";
import { cutText } from "../../kube/conditions.ts";
import { isAlreadyExists } from "../../kube/errors.ts";
import { ROLLBACK_REQUESTS, type RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { automaticRequestSpec, isRequestOf } from "../ledger/automatic.ts";
import { changeLedger, ledgerKey } from "../ledger/ledger.ts";
import { POLICY_LABEL } from "./history.ts";
import type { PolicyPorts } from "./ports.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";

/** Entries older than this speak of no guard any more (budget: 24 h), milliseconds. */
const KEEP_AUTOMATIC_MS = 7 * 86_400_000;
const MAX_AUTOMATIC = 200;

/** Whose automatic requests are recorded. */
export interface AutomaticSubject {
  readonly target: TargetKey;
  readonly policy: RollbackPolicy;
  readonly plans: readonly PlanView[];
  readonly recent: RecentRollbacks;
}

/**
 * Records an automatic rollback or proposal in the ledger by compare-and-set, deciding again on what the ledger really
 * holds. Two leaders, or one with an old cache, so make one entry. Undefined when the second look decided otherwise.
 */
export async function recordAutomatic(
  ports: PolicyPorts,
  { target, policy, plans, recent }: AutomaticSubject,
  decideOn: (ledger: RollbackLedgerSpec) => Decision | undefined,
  signal: AbortSignal,
): Promise<LedgerAutomatic | undefined> {
  let entry: LedgerAutomatic | undefined;
  const change = (before: RollbackLedgerSpec) => {
    // Called again after a conflict: the reservation of the try before must not stand in its own way.
    if (entry !== undefined) recent.release(entry.request);
    const decision = decideOn(before);
    const now = ports.clock.now();
    entry =
      decision !== undefined && isActing(decision) ? automaticEntry(policy, plans, decision, now) : undefined;
    if (entry === undefined) return before;
    if (entry.action === "Rollback") recent.reserve(entry.request, now);
    const kept = before.automatic.filter(({ at }) => now - Date.parse(at) < KEEP_AUTOMATIC_MS);
    return { ...before, automatic: [...kept, entry].slice(-MAX_AUTOMATIC) };
  };
  try {
    await changeLedger(ports.client, target, change, signal, ports.ledgers.get(ledgerKey(target)));
  } catch (error) {
    if (entry !== undefined) recent.release(entry.request);
    throw error;
  }
  return entry;
}

/**
 * Creates the request of a recorded automatic rollback; finding it there already is success. Foreign: somebody else made
 * another request under that name.
 */
export async function createRequest(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  entry: LedgerAutomatic,
  signal: AbortSignal,
): Promise<"Made" | "Foreign"> {
  const { namespace = "", name } = policy.metadata;
  const key = { namespace, name: entry.request };
  const row = effectiveMatrix(policy.spec).find((each) => each.name === entry.trigger.row);
  const spec = automaticRequestSpec(entry, row?.severity);
  try {
    const metadata = { ...key, labels: { [POLICY_LABEL]: name } };
    await ports.client.create(ROLLBACK_REQUESTS, { metadata, spec }, { signal });
    return "Made";
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const found = await ports.client.tryGet(ROLLBACK_REQUESTS, key, { signal });
  return found !== undefined && isRequestOf(entry, found) ? "Made" : "Foreign";
}

/**
 * Gives a recorded rollback that was not made yet another name, which nobody can foresee: names of first attempts follow
 * from the release, so whoever may create requests could take them beforehand. Undefined when the ledger no longer
 * holds it under the old name: another process was faster.
 */
export async function renameAutomatic(
  ports: PolicyPorts,
  target: TargetKey,
  targetUid: string,
  taken: LedgerAutomatic,
  recent: RecentRollbacks,
  signal: AbortSignal,
): Promise<LedgerAutomatic | undefined> {
  const attempt = taken.attempt + 1;
  const request = automaticRequestName({
    targetUid,
    replicaSetUid: taken.replicaSetUid,
    revision: taken.revision,
    targetName: target.name,
    attempt,
    salt: ports.newId(),
  });
  let renamed: LedgerAutomatic | undefined;
  const change = (before: RollbackLedgerSpec) => {
    const index = before.automatic.findIndex(
      (each) => each.request === taken.request && each.uid === undefined,
    );
    const entry = before.automatic[index];
    renamed = entry === undefined ? undefined : { ...entry, attempt, request };
    return renamed === undefined ? before : { ...before, automatic: before.automatic.with(index, renamed) };
  };
  await changeLedger(ports.client, target, change, signal);
  if (renamed !== undefined) {
    recent.release(taken.request);
    recent.reserve(request, Date.parse(taken.at));
  }
  return renamed;
}

function automaticEntry(
  policy: RollbackPolicy,
  plans: readonly PlanView[],
  decision: ActingDecision,
  now: number,
): LedgerAutomatic {
  const { row, part, release, value, onset, attribution, sentence } = decision;
  return {
    action: decision.kind,
    ...(decision.plan === plans[0]?.name ? {} : { plan: decision.plan }),
    ...(decision.kind === "Propose" ? waiting(decision) : {}),
    request: decision.requestName,
    replicaSetUid: release.replicaSetUid,
    podTemplateHash: release.podTemplateHash,
    revision: release.revision,
    attempt: decision.attempt,
    at: new Date(now).toISOString(),
    ...(release.startedAt === undefined ? {} : { released: new Date(release.startedAt).toISOString() }),
    trigger: {
      policy: policy.metadata.name,
      row: row.name,
      signal: part === WHOLE ? row.signal : `${row.signal} of ${part}`.slice(0, 63),
      value: formatValue(value, row.unit),
      threshold: formatValue(row.threshold, row.unit),
      breachSince: new Date(onset).toISOString(),
      attribution: cutText(`${attribution.verdict}: ${attribution.reason}`, 1024),
      sentence: cutText(sentence, 1024),
    },
  };
}

function waiting({ expiresAfterMs, runAfterMs }: Extract<ActingDecision, { readonly kind: "Propose" }>) {
  return {
    expiresAfter: formatDuration(expiresAfterMs),
    ...(runAfterMs === undefined ? {} : { runAfter: formatDuration(runAfterMs) }),
  };
}
