import { isWithin, ramp, type Share } from "../app.ts";
import type { Symptom } from "../incident-class.ts";
import type { Random } from "../random.ts";
import { BLOCK_SECONDS, type Stage, type StagedRelease } from "../stage.ts";

export const CRITICAL: Symptom = { kind: "Errors", above: 0.1 };

/** Late enough for an hour of metrics before it, early enough for the slowest breach after it. */
export function releaseTime(random: Random): number {
  return random.between(4_200, 4_800);
}

/** A release that breaks nothing, complete `before` so many seconds before `t`. */
export function goodReleaseBefore(
  stage: Stage,
  t: number,
  [least, most]: readonly [number, number],
): StagedRelease {
  // A rolling update of eight slow pods takes up to seven minutes.
  return stage.release(t - stage.random.between(least, most) - stage.replicas * 45);
}

/** Requests that pods of one release fail. */
export function brokenPods({ hash }: Pick<StagedRelease, "hash">, share: number): Share {
  return ({ pod }) => (pod.hash === hash ? share : 0);
}

/** Requests that all pods fail, whatever release they are of. */
export function outage(from: number, length: number, share: number): Share {
  return ({ t }) => (isWithin(t, from, length) ? share : 0);
}

/** What a pod cannot serve of more requests per second than it can bear. */
export function overload(capacity: number): Share {
  return ({ load }) => (load <= capacity ? 0 : 1 - capacity / load);
}

/** Traffic that grows to `factor` times within `rise` seconds, and stays for `length`. */
export function surge(from: number, rise: number, length: number, factor: number): (t: number) => number {
  return (t) => 1 + (factor - 1) * ramp(t, from, rise) * (1 - ramp(t, from + rise + length, rise));
}

export interface BurstOptions {
  /** Seconds between two of them. */
  readonly pause: readonly [number, number];
  readonly length: readonly [number, number];
  readonly share: readonly [number, number];
}

/** Errors that come and go by themselves all the time. */
export function bursts({ random, since }: Stage, { pause, length, share }: BurstOptions): Share {
  const list: { readonly from: number; readonly to: number; readonly share: number }[] = [];
  let t = since + random.between(0, pause[1]);
  while (t < BLOCK_SECONDS) {
    const to = t + random.between(...length);
    list.push({ from: t, to, share: random.between(...share) });
    t = to + random.between(...pause);
  }
  return (request) => list.find(({ from, to }) => request.t >= from && request.t < to)?.share ?? 0;
}
