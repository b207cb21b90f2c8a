import type { Evidence } from "../../decision/attribution/evidence.ts";
import type { ActingDecision } from "../../decision/decide.ts";
import { stateKey } from "../../decision/matrix.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { PolicyRuntime } from "./runtime.ts";
import type { TargetView } from "./target.ts";

/** Evidence is gathered anew after so many intervals, and not sooner than this, ms. */
const HOLDS_INTERVALS = 4;
const HOLDS_MS = 60_000;

/** The evidence that still speaks of the breaches and the release of now, by `stateKey`. */
export function currentEvidence(
  { evidence, evaluations }: PolicyRuntime,
  { view: { intervalMs } }: CompiledPolicy,
  { live }: TargetView,
  now: number,
): ReadonlyMap<string, Evidence> {
  if (evidence.size === 0) return new Map();
  const holdsMs = Math.max(HOLDS_MS, HOLDS_INTERVALS * intervalMs);
  const current = evaluations.flatMap(({ row, part, window }) => {
    const key = stateKey(row.name, part);
    const known = evidence.get(key);
    const isCurrent =
      known?.subject === subjectOf(live, window.onset) && now - known.at < holdsMs && known.at <= now;
    return isCurrent ? [[key, known.evidence] as const] : [];
  });
  return new Map(current);
}

/** Asks the sources of the signals that breach for all that they know about the cause. */
export async function gatherEvidence(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  { live, revisions }: TargetView,
  decisions: readonly ActingDecision[],
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const otherHashes = revisions
    .filter(({ uid }) => uid !== live?.uid)
    .map(({ podTemplateHash }) => podTemplateHash);
  const gathered = await Promise.all(
    decisions.map(async ({ row, part, onset, release }) => {
      const source = compiled.signals.find(({ name }) => name === row.signal)?.source;
      const at = runtime.lastTickAt ?? now;
      const question = { at, onset, row, part, release, otherHashes, podLabel: compiled.podLabel };
      const evidence = (await source?.evidence?.(question, signal)) ?? {};
      return [stateKey(row.name, part), { subject: subjectOf(live, onset), at: now, evidence }] as const;
    }),
  );
  runtime.evidence = new Map([...runtime.evidence, ...gathered]);
}

function subjectOf(live: TargetView["live"], onset: number | undefined): string {
  return `${live?.uid}/${live?.revision}/${onset}`;
}
