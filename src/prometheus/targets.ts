import type { Target, Term } from "./form.ts";

/** Of an answer about many targets, what belongs to each of them, by `targetKey`. */
export type ByTarget<T> = ReadonlyMap<string, readonly T[]>;

interface Labelled {
  readonly labels: Readonly<Record<string, string>>;
}

/** Different for different targets of one form. */
export function targetKey(target: Target): string {
  const [only] = target;
  return target.length === 1 && only !== undefined ? only : JSON.stringify(target);
}

/**
 * An answer by target: every series is looked at once. A series with a label that was not asked for is no answer to the
 * question and is left out; a label that is missing is the same as an empty one, as the server sees it.
 */
export function byTarget<T extends Labelled>(
  series: readonly T[],
  labels: readonly string[],
  more: readonly string[],
): ByTarget<T> {
  const expected = new Set([...labels, ...more]);
  const found = new Map<string, T[]>();
  for (const each of series) {
    if (!hasOnly(each.labels, expected)) continue;
    const key = targetKey(labels.map((label) => each.labels[label] ?? ""));
    const known = found.get(key);
    if (known === undefined) found.set(key, [each]);
    else known.push(each);
  }
  return found;
}

function hasOnly(labels: Labelled["labels"], expected: ReadonlySet<string>): boolean {
  for (const label in labels) {
    if (!expected.has(label)) return false;
  }
  return true;
}

/** How the terms for some targets are chosen. */
export type WriteTerms = (targets: readonly Target[]) => readonly Term[];

/**
 * All these targets in one term: short, but the server also finds series of every other combination of their values,
 * which nobody asked for.
 */
export function wideTerms(targets: readonly Target[]): readonly Term[] {
  const [first] = targets;
  return first === undefined ? [] : [first.map((_, index) => distinct(targets, index))];
}

/** Exactly these targets: terms within which only one label has several values. */
export function exactTerms(targets: readonly Target[]): readonly Term[] {
  const [first] = targets;
  if (first === undefined || first.length === 0) return wideTerms(targets);
  const counts = first.map((_, index) => distinct(targets, index).length);
  const varying = counts.indexOf(Math.max(...counts));
  const terms = new Map<string, Target[]>();
  for (const target of targets) {
    const rest = targetKey(target.with(varying, ""));
    const known = terms.get(rest);
    if (known === undefined) terms.set(rest, [target]);
    else known.push(target);
  }
  return [...terms.values()].flatMap(wideTerms);
}

function distinct(targets: readonly Target[], index: number): readonly string[] {
  return [...new Set(targets.map((target) => target[index] ?? ""))];
}
