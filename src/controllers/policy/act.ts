import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { TargetKey } from "../../actions/action.ts";
import type { Decision } from "../../decision/decide.ts";
import { automaticRequestName } from "../../decision/request-name.ts";
import { formatValue } from "../../decision/sentence.ts";
import { cutText } from "../../kube/conditions.ts";
import { isAlreadyExists } from "../../kube/errors.ts";
import { ROLLBACK_REQUESTS, type RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { automaticRequestSpec, isRequestOf } from "../ledger/automatic.ts";
import { changeLedger } from "../ledger/ledger.ts";
import { POLICY_LABEL } from "./history.ts";
import type { PolicyPorts } from "./ports.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";

type RollbackDecision = Extract<Decision, { readonly kind: "Rollback" }>;

/** Entries older than this speak of no guard any more (budget: 24 h), milliseconds. */
const KEEP_AUTOMATIC_MS = 7 * 86_400_000;
const MAX_AUTOMATIC = 200;

/**
 * Records an automatic rollback in the ledger by compare-and-set, deciding again on what the ledger really holds. Two
 * leaders, or one with an old cache, so make one entry. Returns undefined when the second look decided otherwise.
 */
export async function recordAutomatic(
  ports: PolicyPorts,
  target: TargetKey,
  policy: RollbackPolicy,
  recent: RecentRollbacks,
  decideOn: (ledger: RollbackLedgerSpec) => Decision,
  signal: AbortSignal,
): Promise<LedgerAutomatic | undefined> {
  let entry: LedgerAutomatic | undefined;
  const change = (before: RollbackLedgerSpec) => {
    // Called again after a conflict: the reservation of the try before must not stand in its own way.
    if (entry !== undefined) recent.release(entry.request);
    const decision = decideOn(before);
    const now = ports.clock.now();
    entry = decision.kind === "Rollback" ? automaticEntry(policy, decision, now) : undefined;
    if (entry === undefined) return before;
    recent.reserve(entry.request, now);
    const kept = before.automatic.filter(({ at }) => now - Date.parse(at) < KEEP_AUTOMATIC_MS);
    return { ...before, automatic: [...kept, entry].slice(-MAX_AUTOMATIC) };
  };
  try {
    await changeLedger(ports.client, target, change, signal);
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
  const row = policy.spec.matrix.find((each) => each.name === entry.trigger.row);
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
    ...taken,
    targetUid,
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

function automaticEntry(policy: RollbackPolicy, decision: RollbackDecision, now: number): LedgerAutomatic {
  const { row, release, value, onset, attribution, sentence } = decision;
  return {
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
      signal: row.signal,
      value: formatValue(value, row.unit),
      threshold: formatValue(row.threshold, row.unit),
      breachSince: new Date(onset).toISOString(),
      attribution: cutText(`${attribution.verdict}: ${attribution.reason}`, 1024),
      sentence: cutText(sentence, 1024),
    },
  };
}
