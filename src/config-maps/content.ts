import { createHash } from "node:crypto";
import type { ConfigMap } from "../kube/well-known.ts";

/** What a ConfigMap holds; `binaryData` is base64. The two share one space of keys. */
export interface Content {
  readonly data: Readonly<Record<string, string>>;
  readonly binaryData: Readonly<Record<string, string>>;
}

/** What the API server takes in one ConfigMap, bytes of all keys and values together; it counts binary data decoded. */
export const MOST_BYTES = 1_048_576;

export function contentOf({ data = {}, binaryData = {} }: Pick<ConfigMap, "data" | "binaryData">): Content {
  return { data, binaryData };
}

/** The members as an object on the wire has them: an empty one is left out. */
export function membersOf({ data, binaryData }: Content): Pick<ConfigMap, "data" | "binaryData"> {
  return {
    ...(Object.keys(data).length === 0 ? {} : { data }),
    ...(Object.keys(binaryData).length === 0 ? {} : { binaryData }),
  };
}

/** The content with these keys set. A key that held binary data holds text then. */
export function withValues(content: Content, values: Readonly<Record<string, string>>): Content {
  const binaryData = Object.fromEntries(
    Object.entries(content.binaryData).filter(([key]) => !Object.hasOwn(values, key)),
  );
  return { data: { ...content.data, ...values }, binaryData };
}

/** One key alone, where it holds text; undefined where it does not. */
export function onlyKey({ data }: Content, key: string): Content | undefined {
  const value = own(data, key);
  return value === undefined ? undefined : { data: { [key]: value }, binaryData: {} };
}

/**
 * What tells contents of one ConfigMap apart: 32 hexadecimal digits of SHA-256. The name of the map is part of it, so
 * that equal values of two maps do not show.
 */
export function contentDigest(name: string, { data, binaryData }: Content): string {
  return sha256([name, pairs(data), pairs(binaryData)]).slice(0, 32);
}

/** Bytes as the API server counts them. */
export function sizeOf({ data, binaryData }: Content): number {
  const text = Object.entries(data).map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value));
  const binary = Object.entries(binaryData).map(
    ([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value, "base64"),
  );
  return [...text, ...binary].reduce((sum, bytes) => sum + bytes, 0);
}

/** Bounds of a plan's `changes`, as the schema has them. */
const MOST_CHANGES = 64;

/** `data.LEVEL 5f1e88c2 -> 9a0d7e41`: the keys that differ, with a short hash in the place of each value. */
export function keyChanges(name: string, from: Content, to: Content): readonly string[] {
  const changes = (["data", "binaryData"] as const).flatMap((member) => {
    const keys = new Set([...Object.keys(from[member]), ...Object.keys(to[member])]);
    return [...keys].toSorted().flatMap((key) => {
      const [before, after] = [own(from[member], key), own(to[member], key)];
      if (before === after) return [];
      const hash = (value: string) => sha256([name, key, value]).slice(0, 8);
      const path = `${member}.${key}`;
      if (before === undefined) return [`${path} added ${hash(after ?? "")}`];
      return [`${path} ${hash(before)} -> ${after === undefined ? "removed" : hash(after)}`];
    });
  });
  if (changes.length <= MOST_CHANGES) return changes;
  const shown = changes.slice(0, MOST_CHANGES - 1);
  return [...shown, `and ${changes.length - shown.length} more keys`];
}

/** Shorter values are no secret, and stand in too many words. */
const SHORTEST_VALUE = 4;

/** Words of others, such as an admission webhook's refusal, without any value of these contents. */
export function withoutValues(words: string, ...contents: readonly Content[]): string {
  const values = contents.flatMap(({ data, binaryData }) => [
    ...Object.values(data),
    ...Object.values(binaryData),
  ]);
  // Longest first: one value may be part of another.
  return [...new Set(values.flatMap((value) => [value, value.trim()]))]
    .filter((value) => value.length >= SHORTEST_VALUE)
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, value) => text.replaceAll(value, "<value>"), words);
}

/** A key may have the name of a member that every object inherits. */
function own(entries: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(entries, key) ? entries[key] : undefined;
}

function pairs(entries: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function sha256(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
