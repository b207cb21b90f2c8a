import { attribute, type Attribution, type AttributionInput } from "../attribute.ts";
import type { Evidence, Interval, PastEvidence, PastSample, PodCounts, PodEvidence } from "../evidence.ts";

/** A release at 14:03:00, breached 95 s later, judged two minutes after that; nothing but time is known. */
export const START = Date.UTC(2026, 10, 22, 14, 3, 0);
export const ONSET = START + 95_000;
export const STEP = 15_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const RELEASE = {
  replicaSetUid: "rs-7",
  revision: 7,
  podTemplateHash: "h7",
  startedAt: START,
} as const;

export const BASE: AttributionInput = {
  release: RELEASE,
  evidence: undefined,
  onset: ONSET,
  healthyAt: ONSET - STEP,
  lookbackMs: HOUR,
  toleratedGapMs: 45_000,
  now: ONSET + 120_000,
};

export interface PodLife {
  readonly pod?: string;
  readonly hash: string;
  /** Seconds after START; intervals end at its multiples of 15. */
  readonly from: number;
  readonly to: number;
  /** Requests in an interval. */
  readonly total?: number | ((second: number) => number);
  /** Share of bad requests at a second. */
  readonly share: (second: number) => number;
}

export function podEvidence(lives: readonly PodLife[], change: Partial<PodEvidence> = {}): PodEvidence {
  return {
    limit: 0.1,
    breachFrom: ONSET - MINUTE,
    begunUntil: BASE.now,
    until: BASE.now,
    stepMs: STEP,
    pods: lives.map(podCounts),
    ...change,
  };
}

function podCounts({ pod, hash, from, to, total = 500, share }: PodLife, index: number): PodCounts {
  const intervals: Interval[] = [];
  for (let second = from; second <= to; second += STEP / 1000) {
    const requests = typeof total === "number" ? total : total(second);
    const at = START + second * 1000;
    intervals.push({ at, bad: Math.round(requests * share(second)), total: requests });
  }
  return { pod: pod ?? `api-${hash}-${index}`, hash, intervals };
}

/** A day of healthy samples a minute apart up to `now`; `at` changes single ones. */
export function pastEvidence(
  at: (at: number) => Partial<PastSample> = () => ({}),
  change: Partial<PastEvidence> = {},
): PastEvidence {
  const samples: PastSample[] = [];
  for (let time = BASE.now - 25 * HOUR; time <= BASE.now; time += MINUTE) {
    const isBreach = time >= ONSET;
    samples.push({
      at: time,
      verdict: isBreach ? "Breach" : "Ok",
      level: isBreach ? 0.2 : 0,
      requests: 600,
      ...at(time),
    });
  }
  return { forMs: 2 * MINUTE, limit: 0.1, stepMs: MINUTE, samples, lastWeek: [], ...change };
}

export const BAD = (): number => 0.23;
export const GOOD = (): number => 0.002;
export const NEW = { hash: "h7", from: 15, to: 210, share: BAD } as const;
export const OLD = { hash: "h6", from: -300, to: 120, share: GOOD } as const;

/** Shares of something that breaks after a second, and breaks for all alike. */
export function goneBadAt(second: number): (at: number) => number {
  return (at) => (at > second ? 0.9 : 0);
}

export function verdictWith(evidence: Evidence, change: Partial<AttributionInput> = {}): Attribution {
  return attribute({ ...BASE, evidence, ...change });
}

export function withPods(lives: readonly PodLife[], change: Partial<PodEvidence> = {}): Attribution {
  return verdictWith({ pods: podEvidence(lives, change) });
}
