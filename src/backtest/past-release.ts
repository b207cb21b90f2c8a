import { z } from "zod";
import type { Release } from "../decision/release.ts";
import { BacktestError } from "./backtest-error.ts";

/** A release of the target as history tells it. Times in ms since the epoch. */
export interface PastRelease extends Release {
  readonly startedAt: number;
  /** Its rollout was complete; where nobody knows, it counts as complete from its start on. */
  readonly completedAt: number;
  readonly image: string | undefined;
  /** It had proven itself before the replay begins. */
  readonly isKnownGood: boolean;
}

const time = z.iso.datetime({ offset: true, error: "must be a time such as 2026-11-03T09:12:00Z" });

/** One entry of releases.json. Only `revision` and `startedAt` are needed. */
const ReleaseEntry = z.strictObject({
  revision: z.int().min(1),
  startedAt: time,
  image: z.string().optional(),
  /** Tells the pods of this release from those of others; without it they are not compared. */
  podTemplateHash: z.string().min(1).max(63).optional(),
  completedAt: time.optional(),
  /** Known good before the replay begins; in the replay a release earns that by baking. */
  knownGood: z.boolean().optional(),
  /** The rollback that made this release, if one did: it is not rolled back further. */
  rollbackBy: z.string().optional(),
});

/** The releases in the text of a releases.json, oldest first. Throws BacktestError; `path` is for its message. */
export function parseReleases(text: string, path: string): readonly PastRelease[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new BacktestError(`${path} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = z.array(ReleaseEntry).safeParse(content);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `  ${pathOf(issue.path)}: ${issue.message}`);
    throw new BacktestError(
      `${path} is no list of releases such as [{"revision": 7, "startedAt": "2026-11-03T09:12:00Z", "image": "…"}]:\n${problems.join("\n")}`,
    );
  }
  return orderedReleases(parsed.data.map(toRelease));
}

/** Oldest first; of two that begin in the same second the one with the lower number was over at once. */
export function orderedReleases(releases: readonly PastRelease[]): readonly PastRelease[] {
  return releases.toSorted((a, b) => a.startedAt - b.startedAt || a.revision - b.revision);
}

function toRelease(entry: z.output<typeof ReleaseEntry>): PastRelease {
  const { revision, podTemplateHash, rollbackBy } = entry;
  const startedAt = Date.parse(entry.startedAt);
  // The same template deployed again is a new release of the same ReplicaSet.
  const identity = podTemplateHash ?? `revision-${revision}`;
  return {
    replicaSetUid: identity,
    revision,
    podTemplateHash: identity,
    startedAt,
    completedAt: entry.completedAt === undefined ? startedAt : Date.parse(entry.completedAt),
    image: entry.image,
    isKnownGood: entry.knownGood ?? false,
    ...(rollbackBy === undefined ? {} : { productOfRollback: { request: rollbackBy } }),
  };
}

function pathOf(path: readonly PropertyKey[]): string {
  const [index, ...rest] = path;
  return index === undefined ? "(root)" : [`[${String(index)}]`, ...rest.map(String)].join(".");
}
