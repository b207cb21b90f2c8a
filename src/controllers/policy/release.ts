import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { sameRelease } from "../../decision/known-good.ts";
import { formatSpan } from "../../decision/sentence.ts";
import { TOLERATED_GAP } from "../../decision/window.ts";
import { recordKnownGood, recordRelease } from "../ledger/changes.ts";
import { changeLedger } from "../ledger/ledger.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { PolicyPorts } from "./ports.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { findRelease, isKnownGood, releaseEntry, toRelease, type TargetView } from "./target.ts";

/** After a longer break nobody saw when a release began; at least this long, ms. */
const SHORTEST_BREAK_MS = 60_000;

type Ledger = RollbackLedgerSpec | undefined;

/** Sees to it that the ledger knows the live release and, where it can be known, its start. */
export async function followRelease(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  target: TargetKey,
  view: TargetView,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<Ledger> {
  const { live } = view;
  if (live === undefined) return ledger;
  const now = ports.clock.now();
  const { seenRelease } = runtime;
  const longestBreak = Math.max(SHORTEST_BREAK_MS, (TOLERATED_GAP + 1) * compiled.view.intervalMs);
  const isSame = seenRelease?.uid === live.uid && seenRelease.revision === live.revision;
  const begins = !isSame && seenRelease !== undefined && now - seenRelease.at <= longestBreak;
  // Kept until the ledger has it: a write that fails must not lose the start.
  const startedAt = isSame ? seenRelease.startedAt : begins ? now : undefined;
  runtime.seenRelease = { uid: live.uid, revision: live.revision, at: now, startedAt };
  if (findRelease(ledger, live)?.startedAt !== undefined) return ledger;
  const entry = releaseEntry(view, live, startedAt);
  if (entry.startedAt === undefined && findRelease(ledger, live) !== undefined) return ledger;
  return changeLedger(ports.client, target, (before) => recordRelease(before, entry), signal);
}

/** A live release that has proven itself goes into the ledger. */
export async function recordBaked(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  target: TargetKey,
  view: TargetView,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<Ledger> {
  const { live } = view;
  const { baking } = runtime;
  if (live === undefined || baking?.kind !== "KnownGood") return ledger;
  const release = toRelease(live, ledger);
  if (!sameRelease(baking.release, release) || isKnownGood(ledger, live)) return ledger;
  const rows = compiled.rows.map(({ name }) => name).join(", ");
  const good = {
    replicaSetUid: live.uid,
    podTemplateHash: live.podTemplateHash,
    revision: live.revision,
    since: new Date(baking.at).toISOString(),
    evidence: `complete and every row Ok for ${formatSpan(compiled.bakeMs)}: ${rows}`.slice(0, 512),
  };
  // The cache may not show our own entry of a moment ago.
  return changeLedger(
    ports.client,
    target,
    (before) => (isKnownGood(before, live) ? before : recordKnownGood(before, good)),
    signal,
  );
}
