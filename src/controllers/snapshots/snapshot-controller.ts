import type { MapWatch } from "../../config-maps/map-watch.ts";
import { SNAPSHOT_ANNOTATION } from "../../config-maps/snapshot.ts";
import { parseDuration } from "../../crds/duration.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock, Random } from "../../kube/clock.ts";
import { fixedWorkers, runControllerWith, type ReconcileResult } from "../../kube/controller.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { keyOf } from "../../kube/objects.ts";
import type { RollbackLedger, RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import { recordContentGood } from "../ledger/contents.ts";
import { changeLedger, ledgerKey } from "../ledger/ledger.ts";
import { queueAll } from "../policy/wake.ts";
import { isFinished } from "../request/phase.ts";
import { bakingOf } from "./baked.ts";
import { concernedMaps } from "./concerned-maps.ts";
import { followMaps } from "./follow-maps.ts";
import { mapTarget } from "./map-target.ts";
import { pruneSnapshots, takeSnapshot } from "./take-snapshot.ts";

/** Nobody waits for it. */
const WORKERS = 2;
const RECONCILE_TIMEOUT_MS = 60_000;
/** A ConfigMap that changes all the time is not followed more closely. */
const SHORTEST_GAP_MS = 5_000;
/** Rights come back without an event of ours. */
const FORBIDDEN_MS = 600_000;
/** Different contents of one ConfigMap that are kept, and of all in a namespace together. */
const MOST_OF_ONE = 20;
const MOST_OF_NAMESPACE = 200;
const FEWEST_OF_ONE = 3;

export interface SnapshotPorts {
  /** Acts as the operator itself. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly policies: Store<RollbackPolicy>;
  readonly deployments: Store<Deployment>;
  readonly requests: Store<RollbackRequest>;
  readonly ledgers: Store<RollbackLedger>;
  readonly maps: MapWatch;
  /** The executor of a policy may not keep snapshots; once until it may. */
  readonly onForbidden: (policy: string, message: string) => void;
}

export interface SnapshotControllerOptions {
  readonly ports: SnapshotPorts;
  readonly random: Random;
  readonly clock: Clock;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
}

/** What this process has seen of a ConfigMap. */
interface Seen {
  readonly resourceVersion: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * Keeps a snapshot of each content of the ConfigMaps that policies are concerned with, until the signal aborts. A loop of
 * its own: a right that is missing here must not slow down the evaluation of a policy.
 */
export async function runSnapshotController(
  options: SnapshotControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ports, clock, random, hooks } = options;
  const queue = createWorkQueue({ clock, random, hooks, backoff: { baseMs: 1_000, maxMs: 600_000 } });
  const add = (key: string) => queue.add(key, { priority: priorities.resync });
  const followed = followMaps({ ...ports, onNews: add });
  const stops = [
    () => followed.stop(),
    ports.policies.onChange(({ object }) => add(keyOf(object))),
    ports.maps.onChange((map) => followed.policiesOf(map).forEach(add)),
  ];
  const seen = new Map<string, Seen>();
  const forbidden = new Set<string>();
  queueAll(ports.policies, queue);
  await runControllerWith(stops, {
    queue,
    workers: fixedWorkers(WORKERS),
    reconcile: (key, abort) => keepSnapshotsOf(ports, seen, forbidden, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    clock,
    onError: options.onError,
    signal,
  });
}

/** One look at all ConfigMaps of one policy. Throws KubeError. */
async function keepSnapshotsOf(
  ports: SnapshotPorts,
  seen: Map<string, Seen>,
  forbidden: Set<string>,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const policy = ports.policies.get(key);
  const name = policy?.spec.serviceAccountName;
  if (policy === undefined || name === undefined) return { done: true };
  const { namespace = "" } = policy.metadata;
  const place = { executor: ports.client.as({ namespace, name }), namespace, signal };
  const waits: number[] = [];
  try {
    for (const map of mapsOf(ports, policy)) {
      const wait = await keepOne(ports, seen, policy, place, map);
      if (wait !== undefined) waits.push(wait);
    }
  } catch (error) {
    if (!isForbidden(error)) throw error;
    if (!forbidden.has(key)) ports.onForbidden(key, errorMessage(error));
    forbidden.add(key);
    return { afterMs: FORBIDDEN_MS };
  }
  forbidden.delete(key);
  return waits.length === 0 ? { done: true } : { afterMs: Math.max(1, Math.min(...waits)) };
}

/** Those that are there and whose owners want snapshots. */
function mapsOf(ports: SnapshotPorts, policy: RollbackPolicy): readonly string[] {
  const { namespace } = policy.metadata;
  const deployment = ports.deployments.get(`${namespace}/${policy.spec.target.name}`);
  return concernedMaps(policy, deployment).filter((name) => {
    const map = ports.maps.get(`${namespace}/${name}`);
    return map !== undefined && map.metadata.annotations?.[SNAPSHOT_ANNOTATION] !== "false";
  });
}

/** Returns after how many milliseconds to look again, where that is known. */
async function keepOne(
  ports: SnapshotPorts,
  seen: Map<string, Seen>,
  policy: RollbackPolicy,
  place: Parameters<typeof takeSnapshot>[1],
  name: string,
): Promise<number | undefined> {
  const { namespace, signal } = place;
  const key = `${namespace}/${name}`;
  const now = ports.clock.now();
  const last = seen.get(key);
  const isNews = ports.maps.get(key)?.metadata.resourceVersion !== last?.resourceVersion;
  if (isNews && last !== undefined && now - last.at < SHORTEST_GAP_MS) return last.at + SHORTEST_GAP_MS - now;
  const target = mapTarget(namespace, name);
  let ledger = ports.ledgers.get(ledgerKey(target))?.spec;
  if (isNews) {
    const taken = await takeSnapshot(ports.client, place, name, { at: now, release: releaseText(policy) });
    if (taken === undefined) return undefined;
    seen.set(key, { resourceVersion: taken.resourceVersion, at: now });
    ledger = taken.ledger;
    const bound = { most: mostOfOne(ports, namespace), used: usedDigests(ports, namespace) };
    await pruneSnapshots(ports.client, place, name, ledger, bound);
  }
  const live = ledger?.contents?.at(-1);
  if (live === undefined || live.knownGood !== undefined) return undefined;
  const baking = bakingOf(live, policy.status, parseDuration(policy.spec.bake), now);
  if (baking.kind === "NotBefore") return baking.at - now;
  if (baking.kind === "NotNow") return undefined;
  const good = (before: RollbackLedgerSpec) =>
    recordContentGood(before, live.digest, new Date(now).toISOString());
  await changeLedger(ports.client, target, good, signal);
  return undefined;
}

/** What was live when a content was first seen: which configuration belongs to which release. */
function releaseText({ spec, status }: RollbackPolicy): string | undefined {
  const release = status?.release;
  if (release === undefined) return undefined;
  return `${spec.target.kind}/${spec.target.name} revision ${release.revision} (${release.podTemplateHash})`;
}

/** Fewer of each where many ConfigMaps of the namespace have some. */
function mostOfOne({ ledgers }: SnapshotPorts, namespace: string): number {
  const maps = ledgers
    .list()
    .filter(
      ({ metadata, spec }) => metadata.namespace === namespace && spec.target.kind === "ConfigMap",
    ).length;
  return Math.max(FEWEST_OF_ONE, Math.min(MOST_OF_ONE, Math.floor(MOST_OF_NAMESPACE / Math.max(1, maps))));
}

/** What requests that have not ended go from or to. */
function usedDigests({ requests }: SnapshotPorts, namespace: string): ReadonlySet<string> {
  const steps = requests
    .list()
    .filter((request) => request.metadata.namespace === namespace && !isFinished(request))
    .flatMap(({ status }) => status?.plan?.steps ?? []);
  return new Set(
    steps
      .flatMap(({ from, to }) => [from?.contentDigest, to?.contentDigest])
      .filter((each) => each !== undefined),
  );
}
