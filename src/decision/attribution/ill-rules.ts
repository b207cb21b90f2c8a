import type { IllPods } from "./evidence.ts";
import type { Ruling, Trial } from "./trial.ts";

/** What the cluster itself says of the pods of the suspected release, beside those of the releases before it. */

/** So many pods of each side make a comparison: a single one may have a bad node. */
const ENOUGH_PODS = 2;

interface Side {
  readonly pods: number;
  readonly ill: number;
}

export function onlyNewPodsAreIll({ evidence: { ill }, suspects, name }: Trial): Ruling | undefined {
  if (ill === undefined || !ill.isComparable) return undefined;
  const { fresh, old } = sidesOf(ill, suspects);
  const isMost = fresh.ill >= ENOUGH_PODS && fresh.ill * 2 >= fresh.pods;
  if (!isMost || old.pods < ENOUGH_PODS || old.ill > 0) return undefined;
  return { verdict: "Caused", finding: `${sideBySide(ill, fresh, old)}: caused by ${name}` };
}

export function oldPodsAreIllAsWell({ evidence: { ill }, suspects, earlier }: Trial): Ruling | undefined {
  if (ill === undefined) return undefined;
  const { fresh, old } = sidesOf(ill, suspects);
  // Half as often is no difference between a handful of pods.
  if (old.ill === 0 || old.ill * fresh.pods * 2 < fresh.ill * old.pods) return undefined;
  if (earlier.length > 0) return { verdict: "Earlier" };
  return {
    verdict: "Unknown",
    finding: `${sideBySide(ill, fresh, old)}: old and new pods alike, look for something that they share`,
  };
}

function sidesOf(
  { pods }: IllPods,
  suspects: ReadonlySet<string>,
): { readonly fresh: Side; readonly old: Side } {
  const { fresh = [], old = [] } = Object.groupBy(pods, ({ hash }) => (suspects.has(hash) ? "fresh" : "old"));
  return { fresh: sideOf(fresh), old: sideOf(old) };
}

function sideOf(pods: IllPods["pods"]): Side {
  return { pods: pods.length, ill: pods.filter(({ isIll }) => isIll).length };
}

function sideBySide({ what }: IllPods, fresh: Side, old: Side): string {
  return `${what}: ${fresh.ill} of ${fresh.pods} new pods, ${old.ill} of ${old.pods} old pods`;
}
