import type { AutomaticRequest, LedgerView } from "../decision/guards/guard.ts";
import { lastKnownGood, type KnownGoodRevision } from "../decision/known-good.ts";
import type { Release } from "../decision/release.ts";
import type { PastRelease } from "./past-release.ts";

/**
 * What the target's RollbackLedger would have held at an instant of the replay. Nobody answers a proposal in a replay.
 */
export class PastLedger {
  readonly #releases: readonly PastRelease[];
  readonly #knownGood: { readonly uid: string; readonly startedAt: number }[];
  readonly #requests: {
    readonly request: Omit<AutomaticRequest, "state">;
    readonly release: Release;
    readonly expiresAt: number | undefined;
  }[] = [];

  /** `releases` oldest first. */
  constructor(releases: readonly PastRelease[]) {
    this.#releases = releases;
    this.#knownGood = releases
      .filter(({ isKnownGood }) => isKnownGood)
      .map(({ replicaSetUid, startedAt }) => ({ uid: replicaSetUid, startedAt }));
  }

  /** The release that ran at an instant, in reality. */
  liveAt(now: number): PastRelease | undefined {
    return this.#releases.findLast(({ startedAt }) => startedAt <= now);
  }

  isKnownGood({ replicaSetUid, startedAt }: PastRelease): boolean {
    return this.#knownGood.some((good) => good.uid === replicaSetUid && good.startedAt === startedAt);
  }

  recordKnownGood({ replicaSetUid, startedAt }: PastRelease): void {
    this.#knownGood.push({ uid: replicaSetUid, startedAt });
  }

  recordRequest(
    request: Omit<AutomaticRequest, "state">,
    release: Release,
    expiresAt: number | undefined,
  ): void {
    this.#requests.push({ request, release, expiresAt });
  }

  /** When the release was rolled back, ms since the epoch. */
  rolledBackAt({ replicaSetUid }: Release): number | undefined {
    return this.#requests.findLast(
      ({ request, release }) => request.action === "Rollback" && release.replicaSetUid === replicaSetUid,
    )?.request.at;
  }

  rollbackTarget(live: PastRelease): KnownGoodRevision | undefined {
    const before = this.#releases.filter(({ startedAt }) => startedAt <= live.startedAt);
    // A template that was deployed again has the number of its last deployment.
    const newest = new Map(before.map((release) => [release.replicaSetUid, release]));
    const knownGood = [...newest.values()].filter(({ replicaSetUid }) =>
      this.#knownGood.some(({ uid, startedAt }) => uid === replicaSetUid && startedAt <= live.startedAt),
    );
    const rolledBack = before.filter((release) => this.rolledBackAt(release) !== undefined);
    return lastKnownGood(
      live,
      knownGood,
      new Set(newest.keys()),
      new Set(rolledBack.map(({ replicaSetUid }) => replicaSetUid)),
    );
  }

  /** Releases after the last known good one and before the live one, oldest first; those that were rolled back are gone. */
  previous(live: PastRelease): readonly PastRelease[] {
    const before = this.#releases.filter(({ startedAt }) => startedAt < live.startedAt);
    const good = before.findLastIndex((release) => this.isKnownGood(release));
    return before.slice(good + 1).filter((release) => this.rolledBackAt(release) === undefined);
  }

  /** The pod-template-hashes of the other releases up to now. */
  otherHashes(live: PastRelease): readonly string[] {
    const hashes = this.#releases
      .filter(({ startedAt }) => startedAt <= live.startedAt)
      .map(({ podTemplateHash }) => podTemplateHash);
    return [...new Set(hashes)].filter((hash) => hash !== live.podTemplateHash);
  }

  view(live: PastRelease | undefined, now: number): LedgerView {
    return {
      automaticRollbacks: this.#requests.flatMap(({ request: { action, at } }) =>
        action === "Rollback" ? [at] : [],
      ),
      requestsOfRelease: this.#requests
        .filter(
          ({ release }) =>
            release.replicaSetUid === live?.replicaSetUid && release.revision === live.revision,
        )
        .map(({ request, expiresAt }) => ({
          ...request,
          state: expiresAt === undefined ? "Applied" : now < expiresAt ? "Waiting" : "Expired",
        })),
      pendingRows: new Set(),
    };
  }
}
