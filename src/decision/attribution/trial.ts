import { causeName } from "../release.ts";
import type { Candidate } from "./candidates.ts";
import { courseOf, type Course } from "./course.ts";
import type { Evidence } from "./evidence.ts";
import { together, until } from "./pods.ts";
import type { Span } from "./recurrence.ts";

export type Verdict = "Caused" | "Likely" | "Unlikely" | "Unknown";

/** Everything that is known of one breach. */
export interface Case {
  /** Most suspected first. */
  readonly candidates: readonly Candidate[];
  readonly live: Candidate;
  readonly evidence: Evidence;
  readonly onset: number;
  /** When releases ran that were rolled back for cause: what breached then was theirs. */
  readonly troubled: readonly Span[];
  readonly now: number;
}

/** One release before the bench: the case as the rules see it. */
export interface Trial extends Case {
  readonly cause: Candidate;
  /** `revision 7`, with what a newer live one did about it. */
  readonly name: string;
  readonly isLive: boolean;
  /** Templates of the cause and of what came after it. */
  readonly suspects: ReadonlySet<string>;
  /** How their pods came to breach; undefined where that is not known. */
  readonly course: Course | undefined;
  /** Earlier releases that may be to blame as well. */
  readonly earlier: readonly Candidate[];
  /** Where the time of releases that are above suspicion ends. */
  readonly before: number;
}

export type Ruling =
  | { readonly verdict: Verdict; readonly finding: string }
  /** Not this one: an earlier candidate shows the same. */
  | { readonly verdict: "Earlier" };

/** Undefined when it has nothing to say. */
export type Rule = (trial: Trial) => Ruling | undefined;

export function trialOf(cause: Candidate, thisCase: Case): Trial {
  const { candidates, live, evidence } = thisCase;
  const earlier = candidates.filter(({ startedAt }) => startedAt < cause.startedAt);
  const later = candidates.filter(({ startedAt }) => startedAt >= cause.startedAt);
  const suspects = new Set([cause, ...later, live].map(({ podTemplateHash }) => podTemplateHash));
  const isLive = cause.replicaSetUid === live.replicaSetUid && cause.revision === live.revision;
  const own = causeName(cause);
  return {
    ...thisCase,
    cause,
    name: isLive ? own : `${own}, which revision ${live.revision} did not mend`,
    isLive,
    suspects,
    course:
      evidence.pods === undefined
        ? undefined
        : courseOf(
            together(
              until(
                evidence.pods.pods.filter(({ hash }) => suspects.has(hash)),
                evidence.pods.begunUntil,
              ),
            ),
            evidence.pods.limit,
          ),
    earlier,
    before: Math.min(cause.startedAt, ...earlier.map(({ startedAt }) => startedAt)),
  };
}
