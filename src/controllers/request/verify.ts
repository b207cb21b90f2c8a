import type { Checks } from "../../checks/registry.ts";
import type { CheckContext, CheckSample } from "../../checks/check.ts";
import { judge, soakOf, type CheckRecord, type SoakTimes } from "../../checks/soak.ts";
import { parseDuration } from "../../crds/duration.ts";
import type { Right } from "../../kube/right.ts";
import type { VerificationCheck } from "../../crds/verification.ts";
import type { Resolved } from "./resolve.ts";
import type { VerificationState } from "./situation.ts";

interface Run {
  readonly records: Map<string, { readonly check: VerificationCheck; record: CheckRecord }>;
  readonly intervalMs: number;
  nextAt: number;
}

/**
 * Soaks of the requests that are being verified, in memory: after a restart a soak begins anew, which is slower but
 * never claims what was not seen.
 */
export class VerificationRuns {
  readonly #checks: Checks;
  readonly #runs = new Map<string, Run>();

  constructor(checks: Checks) {
    this.#checks = checks;
  }

  /** Takes the samples that are due and says how every check stands. Throws KubeError only when the API fails. */
  async advance(
    uid: string,
    resolution: Resolved,
    finishedAt: number,
    context: CheckContext,
  ): Promise<VerificationState> {
    const run = this.#runs.get(uid) ?? this.#begin(uid, resolution, finishedAt, context.now);
    if (context.now >= run.nextAt) {
      const due = [...run.records.values()].filter(({ record }) => isDue(record, context.now));
      await Promise.all(
        due.map(async (entry) => {
          const sample = await this.#sample(entry.check, context);
          entry.record = { ...entry.record, samples: [...entry.record.samples, sample] };
        }),
      );
      run.nextAt = nextAfter(run, context.now);
    }
    return stateOf(run, context.now);
  }

  /** What the executor must be allowed for the checks to give verdicts. */
  requiredRights({ verification, target }: Resolved): readonly Right[] {
    return verification.checks.flatMap((check) => this.#checks.requiredRights(check, target.name));
  }

  /** Drops what is known of a request that ended. */
  forget(uid: string): void {
    this.#runs.delete(uid);
  }

  #begin(uid: string, resolution: Resolved, finishedAt: number, now: number): Run {
    const { settle, soak, interval, checks } = resolution.verification;
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
        const windowMs = this.#checks.windowMs(check, resolution.signals);
        return [
          check.name,
          { check, record: { soak: soakOf(check.name, windowMs, times), samples: [] } },
        ] as const;
      }),
    );
    const starts = [...records.values()].map(({ record }) => record.soak.startAt);
    const run: Run = { records: new Map(records), intervalMs, nextAt: Math.min(...starts) };
    this.#runs.set(uid, run);
    return run;
  }

  async #sample(check: VerificationCheck, context: CheckContext): Promise<CheckSample> {
    return this.#checks.sample(check, context);
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

function stateOf(run: Run, now: number): VerificationState {
  const records = [...run.records.values()].map(({ record }) => record);
  return {
    checks: records.map((record) => ({ name: record.soak.name, ...judge(record, now) })),
    endAt: Math.max(0, ...records.map(({ soak }) => soak.endAt)),
    nextAt: run.nextAt,
  };
}
