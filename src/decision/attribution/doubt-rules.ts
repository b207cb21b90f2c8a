import { causeName } from "../release.ts";
import { clockTime, formatSpan } from "../sentence.ts";
import { hoveringSince } from "./hovering.ts";
import { MANY, recurrence } from "./recurrence.ts";
import { breachTogether } from "./scope.ts";
import { WELL_MS } from "./sudden.ts";
import { surge } from "./surge.ts";
import type { Ruling, Trial } from "./trial.ts";

/** What makes doubt without proving anything: the past, the neighbours, the traffic. */

export function itWasThereBefore({
  evidence: { past },
  before,
  onset,
  cause,
  troubled,
  now,
}: Trial): Ruling | undefined {
  const found = past === undefined ? undefined : recurrence(past, before, onset, troubled);
  if (found === undefined) return undefined;
  if (found.kind === "SameClock") {
    const ago = found.daysAgo === 1 ? "a day" : `${found.daysAgo} days`;
    return {
      verdict: "Unlikely",
      finding: `the same breach was there ${ago} earlier at ${clockTime(found.at, now)}, with an older revision: investigate what runs at this time`,
    };
  }
  const times = found.count === 1 ? "" : ` ${found.count} times`;
  return {
    verdict: found.count >= MANY ? "Unlikely" : "Unknown",
    finding: `the same breach was there${times} before ${causeName(cause)}, last at ${clockTime(found.last, now)}: it may be something that comes and goes`,
  };
}

export function othersBreachTogether({ evidence: { scope }, onset, course }: Trial): Ruling | undefined {
  const wasWell = course !== undefined && course.healthyMs >= WELL_MS;
  const found = scope === undefined ? [] : breachTogether(scope, onset, wasWell);
  if (found.length === 0) return undefined;
  const names = found.slice(0, 3).map(({ name }) => name);
  const more = found.length > names.length ? "; …" : "";
  const who = found.length === 1 ? "1 other workload" : `${found.length} other workloads`;
  return {
    verdict: "Unknown",
    finding: `${who} began to breach at the same time (${names.join("; ")}${more}): looks like a shared dependency`,
  };
}

export function itHoversAroundTheThreshold({ evidence: { past }, onset, now }: Trial): Ruling | undefined {
  const since = past === undefined ? undefined : hoveringSince(past, onset);
  if (since === undefined) return undefined;
  return {
    verdict: "Unknown",
    finding: `it has come and gone around the threshold since ${clockTime(since, now)}: that is when it began`,
  };
}

/** A release whose pods failed from their first requests on did not need more traffic for that. */
export function trafficIsFarAboveOrdinary({
  evidence: { past, pods },
  before,
  onset,
  course,
}: Trial): Ruling | undefined {
  const wasNeverWell = pods !== undefined && course !== undefined && course.healthyMs < 2 * pods.stepMs;
  const found = past === undefined || wasNeverWell ? undefined : surge(past, before, onset);
  if (found === undefined) return undefined;
  return {
    verdict: "Unknown",
    finding: `traffic is ${found.factor.toFixed(1)} times the highest healthy traffic of the ${formatSpan(found.pastMs)} before: it may be the load`,
  };
}
