import { parseDuration } from "../../../src/crds/duration.ts";
import type { RollbackPolicy, RollbackRequest } from "../../../src/kube/rollback-kinds.ts";
import { BAD, GOOD, POLICY } from "../demo-layout.ts";
import { breachBefore } from "./error-rate.ts";
import { newest } from "./eyes.ts";
import { type Chapter, compareTimeline, type Fact, factLine, TOLERANCE_MS } from "./facts.ts";
import { followRecovery } from "./recovery.ts";
import { ship } from "./rollout.ts";
import { percent } from "./screen.ts";
import { see, type StoryStage } from "./stage.ts";

const TIMEOUT_MS = 90_000;
/** Of the error rate: between its query and ours a scrape or two may lie. */
const VALUE_TOLERANCE = 0.05;

/** Chapter one: a bad release is shipped, and nobody does anything more. */
export async function automaticRollback(stage: StoryStage): Promise<Chapter> {
  const { screen, eyes } = stage;
  const release = await ship(stage, BAD);
  const releasedAt = release.at;
  const facts: Fact[] = [];
  const report = (fact: Fact): void => {
    facts.push(fact);
    screen.line(factLine(fact, releasedAt));
  };
  screen.line("  From here on nobody types anything. Seconds since the release:");
  report(release);
  const breach = await seeBreach(stage, releasedAt);
  report(breach);

  const decided = await see(
    stage,
    "decided: a RollbackRequest made by the operator",
    () => eyes.requests.find(({ at }) => at >= releasedAt),
    { timeoutMs: TIMEOUT_MS, progress: () => breachProgress(stage, breach.at) },
  );
  const request = decided.object.metadata.name;
  report({
    name: "decided",
    at: decided.at,
    text: decisionText(newest(eyes.policies, POLICY), decided.object),
  });
  await followRecovery({ stage, releasedAt, bad: BAD, good: GOOD, request, report });

  const status = newest(eyes.requests, request)?.status;
  checkDecision(stage, breach.at, decided.at, status?.trigger?.value ?? "");
  const names = ["release", "breach", "decided", "patched", "complete", "verified"] as const;
  return {
    title: `${BAD.version}: rolled back by the operator`,
    releasedAt,
    request,
    facts: facts.toSorted((a, b) => a.at - b.at),
    largestDifferenceMs: compareTimeline(facts, status?.timeline, names),
  };
}

/** The row's threshold; the demo's policy has one row. */
export function thresholdOf(stage: StoryStage): number {
  return Number(newest(stage.eyes.policies, POLICY)?.spec.matrix?.[0]?.when.above);
}

export async function seeBreach(stage: StoryStage, releasedAt: number): Promise<Fact> {
  const threshold = thresholdOf(stage);
  const { at, ratio } = await see(
    stage,
    `breach visible: an error rate above ${percent(threshold)} in Prometheus`,
    () => breachBefore(stage.eyes.errorRate, threshold, releasedAt, Infinity),
    { timeoutMs: TIMEOUT_MS, progress: () => `rolling out; error rate in Prometheus ${rateNow(stage)}` },
  );
  return {
    name: "breach",
    at,
    text: `error rate ${percent(ratio, 4)} > ${percent(threshold)} in Prometheus`,
  };
}

export function rateNow({ eyes }: StoryStage): string {
  const last = eyes.errorRate.at(-1);
  return last === undefined ? "not known" : percent(last.ratio);
}

export function breachProgress(stage: StoryStage, breachAt: number): string {
  const wanted = newest(stage.eyes.policies, POLICY)?.spec.matrix?.[0]?.when.for ?? "";
  return `error rate ${rateNow(stage)}, breach lasts ${Math.floor((Date.now() - breachAt) / 1000)}s of ${wanted}`;
}

/** E.g. `row error-rate-critical (SEV1): error-rate 30.9% > 10% for 10s`. */
function decisionText(policy: RollbackPolicy | undefined, { spec }: RollbackRequest): string {
  const [row] = policy?.spec.matrix ?? [];
  return `row ${row?.name} (${row?.severity}): ${spec.reason.replace(/ since .*/, "")}`;
}

/** The operator may act only on a breach that lasts without a gap: our own queries must have seen that very breach. */
function checkDecision(stage: StoryStage, breachAt: number, decidedAt: number, claimed: string): void {
  const threshold = thresholdOf(stage);
  const forMs = parseDuration(newest(stage.eyes.policies, POLICY)?.spec.matrix?.[0]?.when.for ?? "0s");
  const run = stage.eyes.errorRate.filter(({ at }) => at >= breachAt && at <= decidedAt);
  const below = run.filter(({ ratio }) => ratio <= threshold);
  if (run.length === 0 || below.length > 0 || decidedAt - breachAt < forMs - TOLERANCE_MS) {
    throw new Error(
      `decided ${decidedAt - breachAt} ms after the breach was seen; ${below.length} of ${run.length} of our own samples in between were not above ${percent(threshold)}`,
    );
  }
  const own = run.at(-1)?.ratio ?? 0;
  if (Math.abs(Number.parseFloat(claimed) / 100 - own) > VALUE_TOLERANCE) {
    throw new Error(
      `decided on an error rate of ${claimed}, but Prometheus said ${percent(own)} at that time`,
    );
  }
}
