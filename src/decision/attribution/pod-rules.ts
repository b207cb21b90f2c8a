import { formatSpan, formatValue } from "../sentence.ts";
import { concentration } from "./concentration.ts";
import { contrast, type Contrast } from "./contrast.ts";
import { loadExplains } from "./course.ts";
import type { Counts, PodCounts, PodEvidence } from "./evidence.ts";
import { ENOUGH_REQUESTS, shareOf, sumOf, together, until } from "./pods.ts";
import { isSudden, WELL_MS } from "./sudden.ts";
import type { Ruling, Trial } from "./trial.ts";

/** What the pods say: of which release they are, which of them breach, and since when. */

/** Intervals that tell how it is now. */
const NOW_INTERVALS = 3;
/** Without a look at its pods, the live release gets so long to show what it mends. */
const MENDING_MS = 180_000;

export function fewPodsCarryIt({ evidence: { pods }, suspects, cause }: Trial): Ruling | undefined {
  const found = pods === undefined ? undefined : concentration(pods, suspects);
  if (found === undefined) return undefined;
  const [carry, whose] =
    found.bad === 1 ? ["carries", "that pod and its node"] : ["carry", "those pods and their nodes"];
  return {
    verdict: found.bad * 3 <= found.pods ? "Unlikely" : "Unknown",
    finding: `${found.bad} of ${found.pods} pods of revision ${cause.revision} ${carry} it, the others are healthy: look at ${whose}`,
  };
}

/** The signal's window still holds what has ended since. */
export function itIsOver({ evidence: { pods } }: Trial): Ruling | undefined {
  const now = pods === undefined ? undefined : newest(pods, pods.pods);
  if (pods === undefined || now === undefined || now.total < ENOUGH_REQUESTS) return undefined;
  if (shareOf(now) > pods.limit / 2) return undefined;
  return {
    verdict: "Unknown",
    finding: `the newest requests are fine again (${formatValue(shareOf(now), "ratio")}${slow(pods)} in the last ${formatSpan(NOW_INTERVALS * pods.stepMs)})`,
  };
}

export function liveReleaseMayMendIt({ isLive, live, evidence: { pods }, now }: Trial): Ruling | undefined {
  if (isLive) return undefined;
  if (pods === undefined) {
    return now - live.startedAt >= MENDING_MS ? undefined : tooEarly(live.revision);
  }
  const own = newest(
    pods,
    pods.pods.filter(({ hash }) => hash === live.podTemplateHash),
  );
  return own.total >= ENOUGH_REQUESTS && shareOf(own) > pods.limit / 2 ? undefined : tooEarly(live.revision);
}

function tooEarly(revision: number): Ruling {
  return {
    verdict: "Unknown",
    finding: `it is not known yet whether revision ${revision}, which came later, mends it`,
  };
}

export function onlyNewPodsBreach(trial: Trial): Ruling | undefined {
  const { pods } = trial.evidence;
  if (pods === undefined) return undefined;
  const found = contrast(pods, trial.suspects, othersThan(trial.suspects, pods));
  if (found?.kind !== "Worse") return undefined;
  return { verdict: "Caused", finding: `${sideBySide(found, pods)}: caused by ${trial.name}` };
}

/** Not its code then, but perhaps what it did to something that all share: a person has to look. */
export function oldPodsBreachAsWell({ suspects, earlier, evidence: { pods } }: Trial): Ruling | undefined {
  if (pods === undefined) return undefined;
  const others = othersThan(suspects, pods);
  if (contrast(pods, suspects, others)?.kind !== "Same") return undefined;
  const doubted = new Set(earlier.map(({ podTemplateHash }) => podTemplateHash));
  const proven = new Set([...others].filter((hash) => !doubted.has(hash)));
  const found = contrast(pods, suspects, proven);
  if (found?.kind !== "Same") return earlier.length > 0 ? { verdict: "Earlier" } : undefined;
  return {
    verdict: "Unknown",
    finding: `${sideBySide(found, pods)}: old and new pods breach alike, look for something that they share`,
  };
}

/** What a release breaks, it breaks from its first requests on, or more and more, or when more load comes. */
export function itBrokeAtOneMoment({ evidence: { pods }, cause, course }: Trial): Ruling | undefined {
  if (pods === undefined || course?.riseMs === undefined || course.healthyMs < WELL_MS) return undefined;
  if (!isSudden(course.riseMs, pods.stepMs)) return undefined;
  if (loadExplains(together(until(pods.pods, pods.begunUntil)), course)) return undefined;
  return {
    verdict: "Unknown",
    finding: `pods of revision ${cause.revision} were well for ${formatSpan(course.healthyMs)} and then broke at one moment: did something else change, such as a configuration, a flag or a dependency?`,
  };
}

function newest({ until, stepMs }: PodEvidence, pods: readonly PodCounts[]): Counts {
  const intervals = pods.flatMap((pod) => pod.intervals);
  return sumOf(intervals.filter(({ at }) => at > until - NOW_INTERVALS * stepMs));
}

function othersThan(suspects: ReadonlySet<string>, { pods }: PodEvidence): ReadonlySet<string> {
  return new Set(pods.map(({ hash }) => hash).filter((hash) => !suspects.has(hash)));
}

function sideBySide({ fresh, old }: Contrast, pods: PodEvidence): string {
  const [a, b] = [formatValue(fresh, "ratio"), formatValue(old, "ratio")];
  return `new pods ${a} vs old pods ${b}${slow(pods)}`;
}

function slow({ slowerThan }: PodEvidence): string {
  return slowerThan === undefined ? "" : ` slower than ${formatValue(slowerThan, "seconds")}`;
}
