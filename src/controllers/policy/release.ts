import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { bake, startBaking } from "../../decision/known-good.ts";
import { formatSpan } from "../../decision/sentence.ts";
import { recordKnownGood, recordRelease } from "../ledger/changes.ts";
import { changeLedger } from "../ledger/ledger.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { PolicyPorts } from "./ports.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { findRelease, releaseEntry, toRelease, type TargetView } from "./target.ts";

type Ledger = RollbackLedgerSpec | undefined;

/** Sees to it that the ledger knows the live release and, where it can be known, its start. */
export async function followRelease(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  target: TargetKey,
  view: TargetView,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<Ledger> {
  const { live } = view;
  if (live === undefined) return ledger;
  const { seenRelease } = runtime;
  const isNew =
    seenRelease !== undefined && (seenRelease.uid !== live.uid || seenRelease.revision !== live.revision);
  runtime.seenRelease = { uid: live.uid, revision: live.revision };
  if (findRelease(ledger, live)?.startedAt !== undefined) return ledger;
  const entry = releaseEntry(view, live, isNew ? ports.clock.now() : undefined);
  if (entry.startedAt === undefined && findRelease(ledger, live) !== undefined) return ledger;
  return changeLedger(ports.client, target, (before) => recordRelease(before, entry), signal);
}

/** One tick of baking; a release that has proven itself goes into the ledger. */
export async function bakeRelease(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  target: TargetKey,
  view: TargetView,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<Ledger> {
  const { live } = view;
  const at = runtime.lastTickAt;
  if (live === undefined || at === undefined) return ledger;
  const release = toRelease(live, ledger);
  const mark = ledger?.marks.findLast(({ replicaSetUid }) => replicaSetUid === live.uid);
  runtime.baking = bake(runtime.baking ?? startBaking(release), {
    release,
    evaluations: runtime.evaluations,
    at,
    complete: view.rolloutComplete,
    rolledBackAt: mark === undefined ? undefined : Date.parse(mark.at),
    bakeMs: compiled.bakeMs,
    intervalMs: compiled.view.intervalMs,
  });
  if (runtime.baking.kind !== "KnownGood") return ledger;
  const known = ledger?.knownGood.some(
    (good) => good.replicaSetUid === live.uid && good.revision === live.revision,
  );
  if (known === true) return ledger;
  const rows = compiled.rows.map(({ name }) => name).join(", ");
  const good = {
    replicaSetUid: live.uid,
    podTemplateHash: live.podTemplateHash,
    revision: live.revision,
    since: new Date(at).toISOString(),
    evidence: `complete and every row Ok for ${formatSpan(compiled.bakeMs)}: ${rows}`.slice(0, 512),
  };
  return changeLedger(ports.client, target, (before) => recordKnownGood(before, good), signal);
}
