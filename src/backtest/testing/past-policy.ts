import type { CompiledPolicy } from "../../controllers/policy/compile.ts";
import type { Evidence, EvidenceQuestion } from "../../decision/attribution/evidence.ts";
import type { Row } from "../../decision/row.ts";
import { WHOLE, type Reading, type Sample } from "../../decision/sample.ts";
import type { SignalSource } from "../../signals/source.ts";
import type { PastRelease } from "../past-release.ts";

export const STEP = 15_000;
/** Instant 0 of the tests. */
export const T0 = Date.UTC(2026, 10, 3, 9, 0, 0);

export const CRITICAL: Row = {
  name: "critical",
  signal: "error-rate",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 60_000,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 1_800_000,
};

export function release(revision: number, startTick: number, change: Partial<PastRelease> = {}): PastRelease {
  const startedAt = T0 + startTick * STEP;
  return {
    revision,
    replicaSetUid: `rs-${revision}`,
    podTemplateHash: `hash${revision}`,
    startedAt,
    completedAt: startedAt,
    image: `web:v${revision}`,
    isKnownGood: false,
    ...change,
  };
}

export function value(number: number): Sample {
  return { kind: "Value", value: number };
}

/** One reading of the error rate a tick; what lies outside of the list has no data. */
export interface Course {
  readonly readings: readonly Reading[];
  readonly evidence?: (question: EvidenceQuestion) => Evidence;
}

/** A policy of one signal whose past is a list. */
export function pastPolicy(
  course: Course,
  rows: readonly Row[] = [CRITICAL],
  change: Partial<CompiledPolicy> = {},
): CompiledPolicy {
  return {
    kind: "Compiled",
    view: {
      mode: "Observe",
      suspended: true,
      executor: undefined,
      intervalMs: STEP,
      lookbackMs: 3_600_000,
      require: "Likely",
      settleMs: 0,
      cooldownMs: 1_800_000,
      maxPerDay: 3,
      maxBreachAgeMs: 1_200_000,
    },
    rows,
    plans: [{ name: "application", goesBack: true }],
    freeze: { openAt: () => [] },
    podLabel: "pod",
    signals: [{ name: "error-rate", source: sourceOf(course) }],
    bakeMs: 600_000,
    rehydrateMs: 0,
    ...change,
  };
}

function sourceOf({ readings, evidence }: Course): SignalSource {
  const at = (instant: number): Reading =>
    readings[(instant - T0) / STEP] ?? { kind: "NoData", detail: "nothing then" };
  return {
    unit: "ratio",
    read: async (instant) => at(instant),
    async readPast(start, end, stepMs) {
      const parts = new Map<string, { readonly at: number; readonly sample: Sample }[]>();
      for (let instant = start; instant <= end; instant += stepMs) {
        const reading = at(instant);
        const here = reading.kind === "Split" ? reading.parts : new Map([[WHOLE, reading]]);
        for (const [part, sample] of here) {
          parts.set(part, [...(parts.get(part) ?? []), { at: instant, sample }]);
        }
      }
      return { kind: "Read", parts };
    },
    ...(evidence === undefined ? {} : { evidence: async (question: EvidenceQuestion) => evidence(question) }),
  };
}
