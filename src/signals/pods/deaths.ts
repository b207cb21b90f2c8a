/** The end of one run of one container. Times in ms since the epoch. */
export interface Death {
  /** Of the ReplicaSet that controls the pod. */
  readonly replicaSetUid: string;
  readonly podUid: string;
  readonly podCreatedAt: number;
  readonly container: string;
  /** Tells the runs of one container apart: the runtime's short id of it, or the second in which it ended. */
  readonly id: string;
  readonly reason: string;
  readonly at: number;
}

/** The longest window of a signal: an older death is of no use to anybody, ms. */
export const OLDEST_DEATH_MS = 86_400_000;
/** Deaths of one workload that are kept for each reason, the newest ones. */
export const MOST_DEATHS = 100;

/** The same death is seen many times: as the state of a container, as its last state, and again after a restart of ours. */
export function deathKey({ podUid, container, id }: Pick<Death, "podUid" | "container" | "id">): string {
  return `${podUid}/${container}/${id}`;
}

/** Each death once, oldest first. */
export function mergeDeaths(...lists: readonly (readonly Death[])[]): readonly Death[] {
  const merged = new Map(lists.flat().map((death) => [deathKey(death), death]));
  return [...merged.values()].toSorted((a, b) => a.at - b.at || (deathKey(a) < deathKey(b) ? -1 : 1));
}

/** Without those that are too old or too many. Takes them oldest first. */
export function boundDeaths<D extends Pick<Death, "reason" | "at">>(deaths: readonly D[]): readonly D[] {
  const newest = deaths.at(-1)?.at ?? 0;
  const counts = new Map<string, number>();
  return deaths
    .toReversed()
    .filter(({ reason, at }) => {
      const count = counts.get(reason) ?? 0;
      counts.set(reason, count + 1);
      return count < MOST_DEATHS && newest - at < OLDEST_DEATH_MS;
    })
    .toReversed();
}

/** What is counted of a list of deaths. */
export interface DeathQuestion {
  readonly reason: string;
  readonly windowMs: number;
  readonly distinctPods: number;
  readonly replicaSetUid: string;
  /** Pods that were created earlier belong to another release; undefined where its start is not known. */
  readonly bornSince: number | undefined;
}

/** Deaths in the window that ends at an instant. A node's clock may be ahead of ours: `until` is for the past only. */
export function countDeaths(
  deaths: readonly Death[],
  { reason, windowMs, distinctPods, replicaSetUid, bornSince }: DeathQuestion,
  at: number,
  until = Number.POSITIVE_INFINITY,
): number {
  const counted = deaths.filter(
    (death) =>
      death.reason === reason &&
      death.replicaSetUid === replicaSetUid &&
      death.podCreatedAt >= (bornSince ?? 0) &&
      death.at > at - windowMs &&
      death.at <= until,
  );
  const pods = new Set(counted.map(({ podUid }) => podUid));
  return pods.size < distinctPods ? 0 : counted.length;
}
