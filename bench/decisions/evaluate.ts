import { backtest } from "../../src/backtest/backtest.ts";
import { openPolicy, type PastServer } from "../../src/backtest/open-policy.ts";
import type { PastDecision } from "../../src/backtest/report.ts";
import type { Answer } from "./label.ts";
import type { Incident } from "./incident.ts";
import { performanceClock, plainRule } from "./plain-rule.ts";
import { policyOf, releasesOf } from "./policy.ts";

/** What was decided on an incident, beside the truth about it. */
export interface Outcome {
  readonly incident: Incident;
  readonly answer: Answer;
  /** The decision that the answer stands for. */
  readonly decision: PastDecision | undefined;
  /** It would have rolled back a release that is not broken, or nothing at all yet. */
  readonly isFalseRollback: boolean;
  /** When the plain rule would have rolled back, ms since the epoch. */
  readonly plainAt: number | undefined;
}

export const INTERVAL_MS = 15_000;

/** Replays the policy of an incident with the code of production. */
export async function evaluateIncident(
  incident: Incident,
  server: PastServer,
  signal: AbortSignal,
): Promise<Outcome> {
  const { compiled, close } = openPolicy(policyOf(incident), server, performanceClock);
  try {
    const { decisions } = await backtest(
      {
        compiled,
        namespace: incident.namespace,
        target: { uid: incident.id, name: incident.app },
        releases: releasesOf(incident),
        start: incident.from,
        end: incident.to,
      },
      signal,
    );
    const decision = strongest(decisions);
    const answer = answerOf(decision);
    return {
      incident,
      answer,
      decision,
      isFalseRollback: answer === "Rollback" && !isRight(incident, decision?.at, decision?.release?.revision),
      plainAt: await plainRule(incident, server, signal),
    };
  } finally {
    await close();
  }
}

/** Whether a rollback at that moment of that revision mends what is broken. */
export function isRight(
  { label, bad, faultAt }: Incident,
  at: number | undefined,
  revision: number | undefined,
): boolean {
  if (label.rollback === "False" || at === undefined || revision === undefined) return false;
  return bad.includes(revision) && faultAt !== undefined && at >= faultAt;
}

/** The revision that was live at an instant. */
export function liveRevision({ releases }: Incident, at: number): number | undefined {
  return releases.findLast(({ startedAt }) => startedAt <= at)?.revision;
}

const STRENGTH: readonly Answer[] = ["Rollback", "Propose", "Held", "Notify", "Quiet"];

function strongest(decisions: readonly PastDecision[]): PastDecision | undefined {
  return decisions.toSorted((a, b) => STRENGTH.indexOf(answerOf(a)) - STRENGTH.indexOf(answerOf(b)))[0];
}

function answerOf(decision: PastDecision | undefined): Answer {
  switch (decision?.action) {
    case undefined:
      return "Quiet";
    case "Prepare":
      return "Notify";
    case "Rollback":
    case "Propose":
    case "Held":
    case "Notify":
      return decision.action;
  }
}
