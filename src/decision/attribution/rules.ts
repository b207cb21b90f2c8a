import { clockTime, formatSpan, formatValue } from "../sentence.ts";
import type { Candidate } from "./candidates.ts";
import { concentration } from "./concentration.ts";
import { contrast, type Contrast } from "./contrast.ts";
import type { Evidence, PodEvidence } from "./evidence.ts";
import { recurrence } from "./recurrence.ts";
import { breachTogether } from "./scope.ts";
import { carriedBefore, surge } from "./surge.ts";

/** What the evidence says of one release. */
export interface Opinion {
  readonly verdict: "Caused" | "Likely" | "Unlikely" | "Unknown";
  readonly cause: Candidate;
  /** Undefined when nothing but time speaks. */
  readonly finding: string | undefined;
}

export interface Case {
  /** Most suspected first. */
  readonly candidates: readonly Candidate[];
  readonly live: Candidate;
  readonly evidence: Evidence;
  readonly onset: number;
  readonly now: number;
}

/** One release before the bench: the case as the rules see it. */
interface Trial extends Case {
  readonly cause: Candidate;
  /** `revision 7`, with what a newer live one did about it. */
  readonly name: string;
  /** Templates of the cause and of what came after it. */
  readonly suspects: ReadonlySet<string>;
  /** Earlier releases that may be to blame as well. */
  readonly earlier: readonly Candidate[];
  /** Where the time of releases that are above suspicion ends. */
  readonly before: number;
}

type Ruling =
  | { readonly verdict: Opinion["verdict"]; readonly finding: string }
  /** Not this one: an earlier candidate shows the same. */
  | { readonly verdict: "Earlier" };

type Rule = (trial: Trial) => Ruling | undefined;

/**
 * The first rule that speaks decides; when none does, time alone makes it Likely. Pods side by side are the only proof
 * and so come before all that merely makes doubt; a proof stands even when other evidence could not be read.
 */
const RULES: readonly Rule[] = [
  fewPodsCarryIt,
  onlyNewPodsBreach,
  evidenceCouldNotBeRead,
  oldPodsBreachAsWell,
  itWasThereBefore,
  othersBreachTogether,
  trafficIsFarAboveOrdinary,
  loadWasCarriedBefore,
];

export function judge(thisCase: Case): Opinion {
  const [first, ...others] = thisCase.candidates;
  let cause = first ?? thisCase.live;
  for (const next of [...others, undefined]) {
    const ruling = rule(trialOf(cause, thisCase));
    if (ruling?.verdict !== "Earlier") return opinionOf(ruling, cause, thisCase);
    cause = next ?? cause;
  }
  return opinionOf(undefined, cause, thisCase);
}

function rule(trial: Trial): Ruling | undefined {
  for (const speak of RULES) {
    const ruling = speak(trial);
    if (ruling !== undefined) return ruling;
  }
  return undefined;
}

function opinionOf(ruling: Ruling | undefined, cause: Candidate, { live }: Case): Opinion {
  if (ruling !== undefined && ruling.verdict !== "Earlier") return { ...ruling, cause };
  const isLive = cause.replicaSetUid === live.replicaSetUid && cause.revision === live.revision;
  const finding = isLive ? undefined : `likely caused by ${nameOf(cause, live)}`;
  return { verdict: "Likely", cause, finding };
}

function trialOf(cause: Candidate, thisCase: Case): Trial {
  const { candidates, live } = thisCase;
  const earlier = candidates.filter(({ startedAt }) => startedAt < cause.startedAt);
  const later = candidates.filter(({ startedAt }) => startedAt >= cause.startedAt);
  return {
    ...thisCase,
    cause,
    name: nameOf(cause, live),
    suspects: new Set([cause, ...later, live].map(({ podTemplateHash }) => podTemplateHash)),
    earlier,
    before: Math.min(cause.startedAt, ...earlier.map(({ startedAt }) => startedAt)),
  };
}

function nameOf(cause: Candidate, live: Candidate): string {
  const own = `revision ${cause.revision}`;
  const isLive = cause.replicaSetUid === live.replicaSetUid && cause.revision === live.revision;
  return isLive ? own : `${own}, which revision ${live.revision} did not mend`;
}

function fewPodsCarryIt({ evidence: { pods }, suspects, cause }: Trial): Ruling | undefined {
  const found = pods === undefined ? undefined : concentration(pods, suspects);
  if (found === undefined) return undefined;
  const verdict = found.bad * 3 <= found.pods ? "Unlikely" : "Unknown";
  const carriers = `${found.bad} of ${found.pods} pods of revision ${cause.revision}`;
  return {
    verdict,
    finding: `${carriers} ${found.bad === 1 ? "carries" : "carry"} it, the others are healthy: look at ${found.bad === 1 ? "that pod and its node" : "those pods and their nodes"}`,
  };
}

function onlyNewPodsBreach(trial: Trial): Ruling | undefined {
  const { pods } = trial.evidence;
  if (pods === undefined) return undefined;
  const found = contrast(pods, trial.suspects, othersThan(trial.suspects, pods));
  if (found?.kind !== "Worse") return undefined;
  return { verdict: "Caused", finding: `${sideBySide(found, pods)}: caused by ${trial.name}` };
}

function evidenceCouldNotBeRead({ evidence: { failed } }: Trial): Ruling | undefined {
  return failed === undefined
    ? undefined
    : { verdict: "Unknown", finding: `evidence could not be read: ${failed}` };
}

function oldPodsBreachAsWell(trial: Trial): Ruling | undefined {
  const { suspects, earlier, cause, evidence } = trial;
  const { pods } = evidence;
  if (pods === undefined) return undefined;
  const others = othersThan(suspects, pods);
  if (contrast(pods, suspects, others)?.kind !== "Same") return undefined;
  const doubted = new Set(earlier.map(({ podTemplateHash }) => podTemplateHash));
  const proven = new Set([...others].filter((hash) => !doubted.has(hash)));
  const found = contrast(pods, suspects, proven);
  if (found?.kind !== "Same") return earlier.length > 0 ? { verdict: "Earlier" } : undefined;
  return {
    verdict: "Unlikely",
    finding: `${sideBySide(found, pods)}: not caused by revision ${cause.revision}, investigate other causes`,
  };
}

function itWasThereBefore({ evidence: { past }, before, onset, cause, now }: Trial): Ruling | undefined {
  const found = past === undefined ? undefined : recurrence(past, before, onset);
  if (found === undefined) return undefined;
  const at = clockTime(found.kind === "SameClock" ? found.at : found.last, now);
  if (found.kind === "SameClock") {
    const day = found.daysAgo === 1 ? "a day" : `${found.daysAgo} days`;
    return {
      verdict: "Unlikely",
      finding: `the same breach was there ${day} earlier at ${at}, with an older revision: investigate what runs at this time`,
    };
  }
  const times = found.count === 1 ? "" : ` ${found.count} times`;
  return {
    verdict: found.count >= 3 ? "Unlikely" : "Unknown",
    finding: `the same breach was there${times} before revision ${cause.revision}, last at ${at}: it may be something that comes and goes`,
  };
}

function othersBreachTogether({ evidence: { scope }, onset }: Trial): Ruling | undefined {
  const found = scope === undefined ? [] : breachTogether(scope, onset);
  if (found.length === 0) return undefined;
  const names = found.slice(0, 3).map(({ name }) => name);
  const more = found.length > names.length ? ", …" : "";
  const who = found.length === 1 ? "1 other workload" : `${found.length} other workloads`;
  return {
    verdict: "Unknown",
    finding: `${who} began to breach at the same time (${names.join("; ")}${more}): looks like a shared dependency`,
  };
}

function trafficIsFarAboveOrdinary({ evidence: { past }, before, onset }: Trial): Ruling | undefined {
  const found = past === undefined ? undefined : surge(past, before, onset);
  if (found === undefined) return undefined;
  return {
    verdict: "Unknown",
    finding: `traffic is ${found.factor.toFixed(1)} times the highest healthy traffic of the ${formatSpan(found.pastMs)} before: it may be the load`,
  };
}

function loadWasCarriedBefore({ evidence: { past }, before, onset, cause, name }: Trial): Ruling | undefined {
  if (past === undefined || !carriedBefore(past, before, cause.startedAt, onset)) return undefined;
  return { verdict: "Likely", finding: `at a load that older revisions carried: likely caused by ${name}` };
}

function othersThan(suspects: ReadonlySet<string>, { pods }: PodEvidence): ReadonlySet<string> {
  return new Set(pods.map(({ hash }) => hash).filter((hash) => !suspects.has(hash)));
}

function sideBySide({ fresh, old }: Contrast, { slowerThan }: PodEvidence): string {
  const [a, b] = [formatValue(fresh, "ratio"), formatValue(old, "ratio")];
  return slowerThan === undefined
    ? `new pods ${a} vs old pods ${b}`
    : `requests slower than ${formatValue(slowerThan, "seconds")}: new pods ${a} vs old pods ${b}`;
}
