import type { CompiledPolicy } from "../controllers/policy/compile.ts";
import { evidenceHoldsMs } from "../decision/attribution/evidence-life.ts";
import type { Evidence } from "../decision/attribution/evidence.ts";
import type { ActingDecision } from "../decision/decide.ts";
import { stateKey, type RowEvaluation } from "../decision/matrix.ts";
import type { PastRelease } from "./past-release.ts";

/** What was found out about the causes of breaches, as it was known at each instant of the replay. */
export class PastEvidence {
  readonly #compiled: Pick<CompiledPolicy, "signals" | "podLabel" | "view">;
  readonly #gathered = new Map<string, GatheredEvidence>();

  constructor(compiled: Pick<CompiledPolicy, "signals" | "podLabel" | "view">) {
    this.#compiled = compiled;
  }

  /** What still speaks of these breaches and of the live release, by `stateKey`. */
  of(
    evaluations: readonly RowEvaluation[],
    live: PastRelease | undefined,
    now: number,
  ): ReadonlyMap<string, Evidence> {
    const holdsMs = evidenceHoldsMs(this.#compiled.view.intervalMs);
    const current = evaluations.flatMap(({ row, part, window }) => {
      const key = stateKey(row.name, part);
      const known = this.#gathered.get(key);
      const isCurrent = known?.subject === subjectOf(live, window.onset) && now - known.at < holdsMs;
      return isCurrent ? [[key, known.evidence] as const] : [];
    });
    return new Map(current);
  }

  /** Asks the sources of the signals that breach for all that they knew about the cause at `at`. */
  async gather(
    decisions: readonly ActingDecision[],
    live: PastRelease,
    otherHashes: readonly string[],
    at: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { signals, podLabel } = this.#compiled;
    const asked = decisions.map(async ({ row, part, onset, release }) => {
      const source = signals.find(({ name }) => name === row.signal)?.source;
      const question = { at, onset, row, part, release, otherHashes, podLabel };
      const evidence = (await source?.evidence?.(question, signal)) ?? {};
      return [stateKey(row.name, part), { subject: subjectOf(live, onset), at, evidence }] as const;
    });
    for (const [key, gathered] of await Promise.all(asked)) this.#gathered.set(key, gathered);
  }
}

interface GatheredEvidence {
  readonly subject: string;
  readonly at: number;
  readonly evidence: Evidence;
}

function subjectOf(live: PastRelease | undefined, onset: number | undefined): string {
  return `${live?.replicaSetUid}/${live?.revision}/${onset}`;
}
