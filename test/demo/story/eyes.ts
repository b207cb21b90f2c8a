import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient } from "../../../src/kube/client.ts";
import type { KubeObject, ResourceType } from "../../../src/kube/objects.ts";
import {
  ROLLBACK_POLICIES,
  ROLLBACK_REQUESTS,
  type RollbackPolicy,
  type RollbackRequest,
} from "../../../src/kube/rollback-kinds.ts";
import {
  type ConfigMap,
  configMapType,
  type Deployment,
  deploymentType,
  type ReplicaSet,
  replicaSetType,
} from "../../../src/kube/well-known.ts";
import { NAMESPACE } from "../demo-layout.ts";
import { type RateSample, watchErrorRate } from "./error-rate.ts";
import { type HttpRoute, httpRouteType } from "./route.ts";

/** An object as it was at the moment (ms since the epoch) when the watch told of it. */
export interface Sighting<T> {
  readonly at: number;
  readonly object: T;
}

/**
 * The demo's own witnesses: watches as an administrator and queries to Prometheus. Everything is kept with its time,
 * so that a fact can be looked for after it happened.
 */
export interface Eyes {
  readonly deployments: readonly Sighting<Deployment>[];
  readonly replicaSets: readonly Sighting<ReplicaSet>[];
  readonly configMaps: readonly Sighting<ConfigMap>[];
  /** Never any on a cluster that does not know them. */
  readonly routes: readonly Sighting<HttpRoute>[];
  readonly policies: readonly Sighting<RollbackPolicy>[];
  readonly requests: readonly Sighting<RollbackRequest>[];
  readonly errorRate: readonly RateSample[];
}

const WATCH_SECONDS = 600;
const AFTER_ERROR_MS = 200;

export function openEyes(
  client: KubeClient,
  prometheusUrl: string,
  hasRoutes: boolean,
  signal: AbortSignal,
): Eyes {
  return {
    deployments: follow(client, deploymentType, signal),
    replicaSets: follow(client, replicaSetType, signal),
    configMaps: follow(client, configMapType, signal),
    routes: hasRoutes ? follow(client, httpRouteType, signal) : [],
    policies: follow(client, ROLLBACK_POLICIES, signal),
    requests: follow(client, ROLLBACK_REQUESTS, signal),
    errorRate: watchErrorRate(prometheusUrl, signal),
  };
}

function follow<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  signal: AbortSignal,
): readonly Sighting<T>[] {
  const sightings: Sighting<T>[] = [];
  void keepFollowing(client, type, sightings, signal);
  return sightings;
}

async function keepFollowing<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  sightings: Sighting<T>[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const object of objects(client, type, signal)) sightings.push({ at: Date.now(), object });
    } catch {
      // Whatever it was: a fact that stays unseen is reported as missing.
      if (!signal.aborted) await sleep(AFTER_ERROR_MS);
    }
  }
}

/** All objects as they are, then each one as it is made or changed, until the server ends the watch. */
async function* objects<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const { items, resourceVersion } = await client.list(type, { namespace: NAMESPACE, signal });
  yield* items;
  const times = { timeoutSeconds: WATCH_SECONDS, stallMs: (WATCH_SECONDS + 10) * 1000 };
  for await (const event of client.watch(type, { namespace: NAMESPACE, resourceVersion, ...times, signal })) {
    if (event.type === "ADDED" || event.type === "MODIFIED") yield event.object;
  }
}

/** The first sighting at or after a time for which something holds. */
export function firstSince<T>(
  sightings: readonly Sighting<T>[],
  since: number,
  holds: (object: T) => boolean,
): Sighting<T> | undefined {
  return sightings.find(({ at, object }) => at >= since && holds(object));
}

/** The newest state of the object of that name. */
export function newest<T extends KubeObject>(sightings: readonly Sighting<T>[], name: string): T | undefined {
  return sightings.findLast(({ object }) => object.metadata.name === name)?.object;
}
