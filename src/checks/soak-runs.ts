import { parseDuration } from "../crds/duration.ts";
import type { Verification, VerificationCheck } from "../crds/verification.ts";
import type { Right } from "../kube/right.ts";
import type { CheckContext, CheckedWorkload } from "./check.ts";
import type { Checks } from "./registry.ts";
import { judge, soakOf, type CheckRecord, type CheckVerdict, type SoakTimes } from "./soak.ts";

/** What is to be soaked, and how. */
export type Soaking = Verification & { readonly checks: readonly VerificationCheck[] };

/** A check with what is known of it now. */
export interface CheckState extends CheckVerdict {
  readonly name: string;
}

export interface SoakState {
  readonly checks: readonly CheckState[];
  /** When the last soak ends, milliseconds since the epoch. */
  readonly endAt: number;
  /** When the next sample is due, milliseconds since the epoch. */
  readonly nextAt: number;
}

interface Run {
  readonly records: Map<string, { readonly check: VerificationCheck; record: CheckRecord }>;
  readonly intervalMs: number;
  nextAt: number;
}

/**
 * Soaks that are under way, each under a key, in memory: after a restart a soak begins anew, which is slower but never
 * claims what was not seen.
 */
export class SoakRuns {
  readonly #checks: Checks;
  readonly #runs = new Map<string, Run>();

  constructor(checks: Checks) {
    this.#checks = checks;
  }

  /** Takes the samples that are due and says how every check stands. Throws KubeError only when the API fails. */
  async advance(
    key: string,
    soaking: Soaking,
    finishedAt: number,
    context: CheckContext,
  ): Promise<SoakState> {
    const run = this.#runs.get(key) ?? this.#begin(key, soaking, finishedAt, context);
    if (context.now >= run.nextAt) {
      const due = [...run.records.values()].filter(({ record }) => isDue(record, context.now));
      await Promise.all(
        due.map(async (entry) => {
          const sample = await this.#checks.sample(entry.check, context);
          entry.record = { ...entry.record, samples: [...entry.record.samples, sample] };
        }),
      );
      run.nextAt = nextAfter(run, context.now);
    }
    return stateOf(run, context.now);
  }

  /** What the executor must be allowed for the checks to give verdicts. */
  requiredRights(
    checks: readonly VerificationCheck[],
    workloads: readonly CheckedWorkload[],
  ): readonly Right[] {
    return checks.flatMap((check) => this.#checks.requiredRights(check, workloads));
  }

  /** Drops all soaks whose key begins so. */
  forget(prefix: string): void {
    for (const key of this.#runs.keys()) if (key.startsWith(prefix)) this.#runs.delete(key);
  }

  #begin(key: string, soaking: Soaking, finishedAt: number, { signals, now }: CheckContext): Run {
    const { settle, soak, interval, checks } = soaking;
    const intervalMs = parseDuration(interval);
    const settleMs = parseDuration(settle);
    const times: SoakTimes = {
      // A soak that nobody watched did not happen.
      finishedAt: Math.max(finishedAt, now - settleMs),
      settleMs,
      soakMs: parseDuration(soak),
      intervalMs,
    };
    const records = new Map(
      checks.map((check) => {
        const windowMs = this.#checks.windowMs(check, signals);
        return [
          check.name,
          { check, record: { soak: soakOf(check.name, windowMs, times), samples: [] } },
        ] as const;
      }),
    );
    const starts = [...records.values()].map(({ record }) => record.soak.startAt);
    const run: Run = { records: new Map(records), intervalMs, nextAt: Math.min(...starts) };
    this.#runs.set(key, run);
    return run;
  }
}

function isDue({ soak }: CheckRecord, now: number): boolean {
  return now >= soak.startAt;
}

/** On the grid of the interval, but never past the end of a soak that still waits for its last sample. */
function nextAfter(run: Run, now: number): number {
  const ends = [...run.records.values()]
    .map(({ record }) => record.soak.endAt)
    .filter((endAt) => endAt > now);
  const starts = [...run.records.values()].map(({ record }) => record.soak.startAt).filter((at) => at > now);
  return Math.min(now + run.intervalMs, ...ends, ...starts);
}

function stateOf(run: Run, now: number): SoakState {
  const records = [...run.records.values()].map(({ record }) => record);
  return {
    checks: records.map((record) => ({ name: record.soak.name, ...judge(record, now) })),
    endAt: Math.max(0, ...records.map(({ soak }) => soak.endAt)),
    nextAt: run.nextAt,
  };
}
