import type { KubeClient } from "../../kube/client.ts";
import type { Clock, Random } from "../../kube/clock.ts";
import { podType, type Pod } from "../../kube/pod-types.ts";
import type { StoreChange } from "../../kube/store.ts";
import { TargetWatch, type WhyUnknown } from "../../kube/target-watch.ts";
import { boundDeaths, deathKey, mergeDeaths, type Death } from "./deaths.ts";
import { deploymentOf, podFacts, type PodFacts } from "./pod-facts.ts";

export interface PodWatchOptions {
  readonly client: Pick<KubeClient, "pages" | "watch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly wholeCluster: boolean;
}

/** What is known of the pods of a Deployment now. */
export type PodView =
  | {
      readonly kind: "Known";
      /** Of all its ReplicaSets. */
      readonly pods: readonly PodFacts[];
      /** Those that this process has seen, oldest first; also of pods that are gone. */
      readonly deaths: readonly Death[];
    }
  | { readonly kind: "Unknown"; readonly reason: WhyUnknown; readonly message: string };

/** Pods of Deployments only carry it. */
const TEMPLATE_HASH = "pod-template-hash";
const BY_TARGET = "target";

/**
 * The pods of those Deployments whose policies ask for them. A death is noted when the watch tells of it: the pod may be
 * gone before anybody evaluates.
 */
export class PodWatch {
  readonly #watch: TargetWatch<Pod, PodFacts>;
  /** By target. */
  readonly #deaths = new Map<string, readonly Death[]>();
  #followed: ReadonlySet<string> = new Set();

  constructor(options: PodWatchOptions) {
    this.#watch = new TargetWatch({
      ...options,
      type: podType,
      labelSelector: TEMPLATE_HASH,
      targetOf: targetOfPod,
      transform: podFacts,
      indexers: { [BY_TARGET]: (pod) => [targetOfPod(pod) ?? ""] },
      onChange: (change) => this.#note(change),
    });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#watch.run(signal);
  }

  /** Deployments as `namespace/name`. */
  follow(targets: ReadonlySet<string>): void {
    for (const target of this.#deaths.keys()) if (!targets.has(target)) this.#deaths.delete(target);
    this.#followed = targets;
    this.#watch.follow(targets);
  }

  view(target: string): PodView {
    const view = this.#watch.view(target);
    if (view.kind === "Unknown") {
      return { kind: "Unknown", reason: view.reason, message: view.message };
    }
    return {
      kind: "Known",
      pods: view.store.byIndex(BY_TARGET, target),
      deaths: this.#deaths.get(target) ?? [],
    };
  }

  #note({ object }: StoreChange<PodFacts>): void {
    const target = targetOfPod(object);
    if (target === undefined || object.deaths.length === 0 || !this.#followed.has(target)) return;
    const known = this.#deaths.get(target) ?? [];
    const keys = new Set(known.map(deathKey));
    if (object.deaths.every((death) => keys.has(deathKey(death)))) return;
    this.#deaths.set(target, boundDeaths(mergeDeaths(object.deaths, known)));
  }
}

function targetOfPod(pod: Pick<Pod, "metadata">): string | undefined {
  const deployment = deploymentOf(pod);
  return deployment === undefined ? undefined : `${pod.metadata.namespace ?? ""}/${deployment}`;
}
