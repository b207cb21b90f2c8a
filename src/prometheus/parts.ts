import { createHash } from "node:crypto";
import type { Reading, Sample } from "../decision/sample.ts";
import type { Element } from "./answer.ts";

/** Most label values that have a verdict each. */
export const MAX_PARTS = 200;

const LONGEST_VALUE = 120;

/** One label value, or a tuple of them, before it is judged. */
export interface PartElements {
  readonly first: readonly Element[];
  readonly second: readonly Element[];
}

/** Both answers by part, such as `route=/models`; a part occurs when either answer has it. */
export function byPart(
  by: readonly string[],
  first: readonly Element[],
  second: readonly Element[],
): ReadonlyMap<string, PartElements> {
  const parts = new Map<string, { first: Element[]; second: Element[] }>();
  const partOf = ({ labels }: Element) => {
    const name = partName(by, labels);
    const known = parts.get(name) ?? { first: [], second: [] };
    parts.set(name, known);
    return known;
  };
  for (const element of first) partOf(element).first.push(element);
  for (const element of second) partOf(element).second.push(element);
  return parts;
}

/** `method=GET, route=/models`: different for different values, and readable. */
export function partName(by: readonly string[], labels: Element["labels"]): string {
  return by.map((label) => `${label}=${readable(labels[label] ?? "")}`).join(", ");
}

/** What could be taken for another part, or is no line of text, is written in quotes; what is too long ends in a hash. */
function readable(value: string): string {
  if (value.length > LONGEST_VALUE) {
    const hash = createHash("sha256").update(value).digest("hex").slice(0, 12);
    return readable(`${value.slice(0, LONGEST_VALUE - 20)}...${hash}`);
  }
  return /[",\p{Cc}]/u.test(value) ? JSON.stringify(value) : value;
}

/**
 * The parts with the highest rank, at most 200; of those with the same rank the first by name. `which` says to people
 * which ones these are.
 */
export function splitReading(
  parts: ReadonlyMap<string, { readonly rank: number; readonly sample: Sample }>,
  which: string,
): Reading {
  const ranked = [...parts].toSorted(([one, a], [two, b]) => b.rank - a.rank || (one < two ? -1 : 1));
  const leftOut = ranked.length - MAX_PARTS;
  return {
    kind: "Split",
    parts: new Map(ranked.slice(0, MAX_PARTS).map(([name, { sample }]) => [name, sample])),
    ...(leftOut > 0
      ? { note: `${leftOut} label values are left out: at most ${MAX_PARTS} are judged, ${which}` }
      : {}),
  };
}
