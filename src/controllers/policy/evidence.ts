import { evidenceHoldsMs } from "../../decision/attribution/evidence-life.ts";
import type { Evidence } from "../../decision/attribution/evidence.ts";
import type { Provable } from "../../decision/decide.ts";
import { stateKey } from "../../decision/matrix.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { GatheredEvidence, PolicyRuntime } from "./runtime.ts";
import type { TargetView } from "./target.ts";

/** When more label values of a signal breach at once, the first ones are looked into: a struggling server is not asked more. */
const MOST_AT_ONCE = 8;

/** What nobody looked into must not act: a person decides. */
const NOT_LOOKED_INTO: Evidence = { failed: "too much breaches at once to look into all of it" };

/** The evidence that still speaks of the breaches and the release of now, by `stateKey`. */
export function currentEvidence(
  { evidence, evaluations }: PolicyRuntime,
  { view: { intervalMs } }: CompiledPolicy,
  { live }: TargetView,
  now: number,
): ReadonlyMap<string, Evidence> {
  if (evidence.size === 0) return new Map();
  const current = evaluations.flatMap(({ row, part, window }) => {
    const key = stateKey(row.name, part);
    const known = evidence.get(key);
    const isCurrent =
      known?.subject === subjectOf(live, window.onset) &&
      now - known.at < lifeOf(known, intervalMs) &&
      known.at <= now;
    return isCurrent ? [[key, known.evidence] as const] : [];
  });
  return new Map(current);
}

/** Asks the sources of the signals that breach for all that they know about the cause. */
export async function gatherEvidence(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  { live, revisions }: TargetView,
  breaches: readonly Provable[],
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const otherHashes = revisions
    .filter(({ uid }) => uid !== live?.uid)
    .map(({ podTemplateHash }) => podTemplateHash);
  const known = [...runtime.evidence].filter(
    ([, { at }]) => now - at < evidenceHoldsMs(compiled.view.intervalMs),
  );
  const isTooMuch = known.filter(([, { at }]) => at === now).length >= MOST_AT_ONCE;
  const gathered = await Promise.all(
    breaches.map(async ({ row, part, onset, release }) => {
      const source = compiled.signals.find(({ name }) => name === row.signal)?.source;
      const at = runtime.lastTickAt ?? now;
      const question = { at, onset, row, part, release, otherHashes, podLabel: compiled.podLabel };
      const evidence = isTooMuch ? NOT_LOOKED_INTO : ((await source?.evidence?.(question, signal)) ?? {});
      const key = stateKey(row.name, part);
      const subject = subjectOf(live, onset);
      const before = runtime.evidence.get(key);
      const failedBefore = before?.subject === subject ? before.failures : 0;
      const failures = evidence.failed === undefined ? 0 : failedBefore + 1;
      return [key, { subject, at: now, evidence, failures }] as const;
    }),
  );
  runtime.evidence = new Map([...known, ...gathered]);
}

/** What could not be read is asked for again at the next evaluation. */
function lifeOf({ failures }: GatheredEvidence, intervalMs: number): number {
  return failures > 0 ? intervalMs / 2 : evidenceHoldsMs(intervalMs);
}

function subjectOf(live: TargetView["live"], onset: number | undefined): string {
  return `${live?.uid}/${live?.revision}/${onset}`;
}
