import type { PodSignal } from "../../crds/pod-signal.ts";
import type { ContainerFacts, PodFacts } from "./pod-facts.ts";

/** A state that pods are counted in, as opposed to deaths. */
export type PodState = Pick<PodSignal, "waiting" | "failingProbe">;

/** A crash-looping container that has run for so long does not loop any more, ms. */
const STEADY_MS = 60_000;
/** The kubelet forgets earlier crashes of a container that has run for so long, ms. */
const FORGIVEN_MS = 600_000;
/** Ending a container takes its grace and a little more, ms. */
const KILL_SLACK_MS = 10_000;

const IMAGE_PULL: ReadonlySet<string> = new Set(["ImagePullBackOff", "ErrImagePull"]);

/** Since when at the latest the pod is in the state, at an instant; undefined when it is not. Times in ms. */
export function inStateSince(pod: PodFacts, state: PodState, at: number): number | undefined {
  if (pod.goesSince !== undefined) return undefined;
  const since = pod.containers.flatMap((container) => containerSince(pod, container, state, at) ?? []);
  return since.length === 0 ? undefined : Math.min(...since);
}

/** Whether it is known that the pod was not in the state at an instant in the past. */
export function wasKnownOutside(pod: PodFacts, state: PodState, at: number): boolean {
  if (at < pod.createdAt) return true;
  return pod.containers.length > 0 && pod.containers.every((each) => knownOutside(pod, each, state, at));
}

function containerSince(
  pod: PodFacts,
  container: ContainerFacts,
  { waiting, failingProbe }: PodState,
  at: number,
): number | undefined {
  if (waiting !== undefined) return waitingSince(container, waiting, at);
  switch (failingProbe) {
    case "Readiness":
      return unreadySince(pod, container, at);
    case "Startup":
      return unstartedSince(container, at);
    case undefined:
      return undefined;
  }
}

function waitingSince(
  container: ContainerFacts,
  reason: NonNullable<PodState["waiting"]>,
  at: number,
): number | undefined {
  const { waiting, lastRun } = container;
  if (reason === "CrashLoopBackOff") {
    if (waiting !== reason && !isBetweenCrashes(container, at)) return undefined;
    return Math.min(lastRun?.endedAt ?? at, at);
  }
  const isIt = waiting === reason || (IMAGE_PULL.has(reason) && IMAGE_PULL.has(waiting ?? ""));
  return isIt ? at : undefined;
}

/** Between two waits a crash-looping container runs for a moment, or was seen just as it ended. */
function isBetweenCrashes({ restarts, runningSince, ended, lastRun }: ContainerFacts, at: number): boolean {
  if (lastRun === undefined || (lastRun.lengthMs ?? 0) >= FORGIVEN_MS) return false;
  if (ended !== undefined) return restarts >= 1 && ended.reason !== "Completed";
  // The first crash is followed by a start at once, each later one by a wait.
  return restarts >= 2 && runningSince !== undefined && at - runningSince < STEADY_MS;
}

function unreadySince(
  { readySince }: PodFacts,
  { readiness, startup, runningSince, ready, started }: ContainerFacts,
  at: number,
): number | undefined {
  if (readiness === undefined || runningSince === undefined || ready || !started) return undefined;
  const since = Math.max(runningSince + readiness.longestMs + (startup?.longestMs ?? 0), readySince ?? 0);
  return since <= at ? since : undefined;
}

/**
 * A container that does not start in time is ended by the kubelet, so it is seldom seen late: it counts while it starts
 * anew after a run that was just as long as its startup probe allows.
 */
function unstartedSince(
  { startup, graceMs, runningSince, started, waiting, restarts, lastRun }: ContainerFacts,
  at: number,
): number | undefined {
  if (startup === undefined || started) return undefined;
  if (runningSince !== undefined && at - runningSince > startup.longestMs)
    return runningSince + startup.longestMs;
  const tries = runningSince !== undefined || waiting === "CrashLoopBackOff";
  if (!tries || restarts === 0 || lastRun?.lengthMs === undefined) return undefined;
  const longest = startup.longestMs + graceMs + KILL_SLACK_MS;
  return lastRun.lengthMs >= startup.shortestMs && lastRun.lengthMs <= longest ? lastRun.endedAt : undefined;
}

function knownOutside(
  { readySince }: PodFacts,
  { runningSince, restarts, ready, started, startup, readiness, ended, lastRun }: ContainerFacts,
  { waiting, failingProbe }: PodState,
  at: number,
): boolean {
  // An init container that has done its work.
  if (ended?.reason === "Completed") return lastRun !== undefined && at >= lastRun.endedAt;
  if (runningSince === undefined) return false;
  if (waiting === "CrashLoopBackOff") return restarts === 0 || at >= runningSince + STEADY_MS;
  if (waiting !== undefined) return at >= runningSince;
  switch (failingProbe) {
    case "Readiness": {
      const patienceMs = (startup?.longestMs ?? 0) + (readiness?.longestMs ?? 0);
      if (restarts === 0 && at < runningSince + patienceMs) return true;
      return ready && at >= Math.max(runningSince, readySince ?? runningSince);
    }
    case "Startup":
      return started && (restarts === 0 || at >= runningSince);
    case undefined:
      return false;
  }
}
