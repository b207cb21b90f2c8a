import type { MapWatch } from "../../config-maps/map-watch.ts";
import type { Clock } from "../../kube/clock.ts";
import { keyOf } from "../../kube/objects.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { POLICIES_BY_TARGET } from "../policy/ports.ts";
import { concernedMaps } from "./concerned-maps.ts";

/** A new leader's policies come one by one, and each change of the set lists anew: what comes together is told together. */
const SETTLE_MS = 100;

export interface FollowedMaps {
  /** Keys of the policies that are concerned with a ConfigMap, both as `namespace/name`. */
  policiesOf(map: string): readonly string[];
  stop(): void;
}

/** Tells the watch which ConfigMaps policies are concerned with, whenever that changes. */
export function followMaps({
  policies,
  deployments,
  maps,
  clock,
  onNews,
}: {
  readonly policies: Store<RollbackPolicy>;
  readonly deployments: Store<Deployment>;
  readonly maps: Pick<MapWatch, "follow">;
  readonly clock: Clock;
  /** A policy is concerned with other ConfigMaps than before. */
  readonly onNews: (policy: string) => void;
}): FollowedMaps {
  const byPolicy = new Map<string, readonly string[]>();
  const byMap = new Map<string, Set<string>>();
  let waiting: { cancel(): void } | undefined;

  function take(policy: RollbackPolicy, isGone: boolean): void {
    const key = keyOf(policy);
    const { namespace = "" } = policy.metadata;
    const deployment = deployments.get(`${namespace}/${policy.spec.target.name}`);
    const wanted =
      isGone || policy.spec.serviceAccountName === undefined
        ? []
        : concernedMaps(policy, deployment).map((name) => `${namespace}/${name}`);
    const before = byPolicy.get(key) ?? [];
    if (before.join() === wanted.join()) return;
    for (const map of before) {
      const users = byMap.get(map);
      users?.delete(key);
      if (users?.size === 0) byMap.delete(map);
    }
    for (const map of wanted) byMap.set(map, (byMap.get(map) ?? new Set()).add(key));
    if (wanted.length === 0) byPolicy.delete(key);
    else byPolicy.set(key, wanted);
    onNews(key);
    waiting ??= clock.setTimer(SETTLE_MS, () => {
      waiting = undefined;
      maps.follow(new Set(byMap.keys()));
    });
  }

  for (const policy of policies.list()) take(policy, false);
  const stops = [
    policies.onChange(({ type, object }) => take(object, type === "deleted")),
    deployments.onChange(({ object: { metadata } }) => {
      const target = `${metadata.namespace}/Deployment/${metadata.name}`;
      for (const policy of policies.byIndex(POLICIES_BY_TARGET, target)) take(policy, false);
    }),
  ];
  return {
    policiesOf: (map) => [...(byMap.get(map) ?? [])],
    stop() {
      for (const stop of stops) stop();
      waiting?.cancel();
    },
  };
}
