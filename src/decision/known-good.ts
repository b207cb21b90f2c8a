import type { RowEvaluation } from "./matrix.ts";
import type { Release } from "./release.ts";

/** How far the live release has come towards known good. Times and lengths in ms. */
export type Baking =
  | {
      readonly kind: "Baking";
      readonly release: ReleaseKey;
      readonly provenMs: number;
      readonly lastOkAt?: number;
    }
  | { readonly kind: "KnownGood"; readonly release: ReleaseKey; readonly at: number };

export type ReleaseKey = Pick<Release, "replicaSetUid" | "revision">;

export interface BakingInput {
  readonly release: Release;
  /** All rows of this tick. */
  readonly evaluations: readonly RowEvaluation[];
  readonly at: number;
  /** The rollout reached its end and stayed there: scaling and evictions afterwards do not make it incomplete. */
  readonly complete: boolean;
  /** When this template was marked as rolled back for cause. */
  readonly rolledBackAt?: number | undefined;
  readonly bakeMs: number;
  readonly intervalMs: number;
}

export function startBaking({ replicaSetUid, revision }: ReleaseKey): Baking {
  return { kind: "Baking", release: { replicaSetUid, revision }, provenMs: 0 };
}

/**
 * One tick of baking. A breach or an incomplete rollout starts it again. A tick where any row has no verdict pauses
 * it: only stretches between two neighbouring ticks with every row Ok count, so unmeasured time never proves health,
 * while a scrape gap or a quiet night does not throw away what was proven (a service with thin traffic would never
 * become known good). Unproven, InsufficientTraffic and NoData are no verdicts, so they bake nothing.
 */
export function bake(state: Baking, input: BakingInput): Baking {
  const current = sameRelease(state.release, input.release) ? state : startBaking(input.release);
  if (current.kind === "KnownGood") {
    return current;
  }
  const breached = input.evaluations.some(({ verdict }) => verdict === "Breach");
  if (!input.complete || breached || isMarked(input)) {
    return startBaking(input.release);
  }
  const proven = input.evaluations.length > 0 && input.evaluations.every(({ verdict }) => verdict === "Ok");
  if (!proven) {
    return { kind: "Baking", release: current.release, provenMs: current.provenMs };
  }
  const provenMs = current.provenMs + stretch(current.lastOkAt, input.at, input.intervalMs);
  return provenMs >= input.bakeMs && (provenMs > 0 || input.bakeMs === 0)
    ? { kind: "KnownGood", release: current.release, at: input.at }
    : { kind: "Baking", release: current.release, provenMs, lastOkAt: input.at };
}

/** A rolled-back template stays marked until it is deployed again, after the mark; then it may bake anew. */
function isMarked({ release, rolledBackAt }: BakingInput): boolean {
  return rolledBackAt !== undefined && (release.startedAt === undefined || release.startedAt <= rolledBackAt);
}

/** Two Ok ticks further apart than one and a half intervals had an unmeasured one between them. */
function stretch(lastOkAt: number | undefined, at: number, intervalMs: number): number {
  const length = lastOkAt === undefined ? 0 : at - lastOkAt;
  return length > 0 && length <= intervalMs * 1.5 ? length : 0;
}

export function sameRelease(a: ReleaseKey, b: ReleaseKey): boolean {
  return a.replicaSetUid === b.replicaSetUid && a.revision === b.revision;
}

/** A revision that earned known good by baking, as the ledger holds it. */
export interface KnownGoodRevision {
  /** As the workload numbers it now: a template that is deployed again gets a new number. */
  readonly revision: number;
  readonly replicaSetUid: string;
  readonly podTemplateHash: string;
}

/**
 * Where a rollback of `live` would go: the newest known-good revision with another template that still exists and
 * was not rolled back for cause.
 */
export function lastKnownGood(
  live: Release,
  knownGood: readonly KnownGoodRevision[],
  existingUids: ReadonlySet<string>,
  rolledBackUids: ReadonlySet<string>,
): KnownGoodRevision | undefined {
  return knownGood
    .filter(
      ({ replicaSetUid, podTemplateHash }) =>
        replicaSetUid !== live.replicaSetUid &&
        podTemplateHash !== live.podTemplateHash &&
        existingUids.has(replicaSetUid) &&
        !rolledBackUids.has(replicaSetUid),
    )
    .reduce<KnownGoodRevision | undefined>(
      (newest, candidate) =>
        newest === undefined || candidate.revision > newest.revision ? candidate : newest,
      undefined,
    );
}
