import type { Candidate } from "./candidates.ts";
import {
  itHoversAroundTheThreshold,
  itWasThereBefore,
  othersBreachTogether,
  trafficIsFarAboveOrdinary,
} from "./doubt-rules.ts";
import { oldPodsAreIllAsWell, onlyNewPodsAreIll } from "./ill-rules.ts";
import {
  fewPodsCarryIt,
  itBrokeAtOneMoment,
  itIsOver,
  liveReleaseMayMendIt,
  oldPodsBreachAsWell,
  onlyNewPodsBreach,
} from "./pod-rules.ts";
import { carriedBefore } from "./surge.ts";
import { trialOf, type Case, type Rule, type Ruling, type Trial, type Verdict } from "./trial.ts";

/** What the evidence says of one release. */
export interface Opinion {
  readonly verdict: Verdict;
  readonly cause: Candidate;
  readonly finding: string;
}

/**
 * The first rule that speaks decides; when none does, time alone makes it Likely. Pods side by side are the only proof
 * and so come before all that merely makes doubt: a proof stands even when other evidence could not be read.
 */
const RULES: readonly Rule[] = [
  fewPodsCarryIt,
  itIsOver,
  liveReleaseMayMendIt,
  onlyNewPodsBreach,
  onlyNewPodsAreIll,
  evidenceCouldNotBeRead,
  oldPodsBreachAsWell,
  oldPodsAreIllAsWell,
  itWasThereBefore,
  othersBreachTogether,
  trafficIsFarAboveOrdinary,
  itHoversAroundTheThreshold,
  loadWasCarriedBefore,
  itBrokeAtOneMoment,
];

export function judge(thisCase: Case): Opinion {
  const [first, ...others] = thisCase.candidates;
  let trial = trialOf(first ?? thisCase.live, thisCase);
  let ruling = rule(trial);
  for (const next of others) {
    if (ruling?.verdict !== "Earlier") break;
    trial = trialOf(next, thisCase);
    ruling = rule(trial);
  }
  return opinionOf(ruling, trial);
}

function rule(trial: Trial): Ruling | undefined {
  for (const speak of RULES) {
    const ruling = speak(trial);
    if (ruling !== undefined) return ruling;
  }
  return undefined;
}

function opinionOf(ruling: Ruling | undefined, { cause, name }: Trial): Opinion {
  if (ruling !== undefined && ruling.verdict !== "Earlier") return { ...ruling, cause };
  return { verdict: "Likely", cause, finding: `likely caused by ${name}` };
}

function evidenceCouldNotBeRead({ evidence: { failed } }: Trial): Ruling | undefined {
  return failed === undefined
    ? undefined
    : { verdict: "Unknown", finding: `evidence could not be read: ${failed}` };
}

function loadWasCarriedBefore({ evidence: { past }, before, onset, cause, name }: Trial): Ruling | undefined {
  if (past === undefined || !carriedBefore(past, before, cause.startedAt, onset)) return undefined;
  return { verdict: "Likely", finding: `at a load that older revisions carried: likely caused by ${name}` };
}
