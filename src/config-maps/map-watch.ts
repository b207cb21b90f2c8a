import type { KubeClient } from "../kube/client.ts";
import type { Clock, Random } from "../kube/clock.ts";
import { keyOf, type KubeObject } from "../kube/objects.ts";
import { TargetWatch } from "../kube/target-watch.ts";
import { bareIdentity } from "../kube/transforms.ts";
import { configMapType } from "../kube/well-known.ts";
import { SNAPSHOT_ANNOTATION } from "./snapshot.ts";

export interface MapWatchOptions {
  readonly client: Pick<KubeClient, "pages" | "watch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly wholeCluster: boolean;
}

const BY_NAME = "name";

/** That ConfigMaps change, of those that policies are concerned with. Metadata only: no value gets into this process. */
export class MapWatch {
  readonly #watch: TargetWatch<KubeObject, KubeObject>;
  readonly #listeners = new Set<(key: string) => void>();

  constructor(options: MapWatchOptions) {
    this.#watch = new TargetWatch<KubeObject, KubeObject>({
      ...options,
      type: configMapType,
      metadataOnly: true,
      targetOf: keyOf,
      transform: bareIdentity([SNAPSHOT_ANNOTATION]),
      indexers: { [BY_NAME]: (map) => [keyOf(map)] },
      onChange: ({ object }) => {
        for (const listener of this.#listeners) listener(keyOf(object));
      },
    });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#watch.run(signal);
  }

  /** ConfigMaps as `namespace/name`. */
  follow(maps: ReadonlySet<string>): void {
    this.#watch.follow(maps);
  }

  /** Who it is, and whether snapshots of it are wanted; undefined while it is not known, or not there. */
  get(key: string): KubeObject | undefined {
    const view = this.#watch.view(key);
    return view.kind === "Known" ? view.store.byIndex(BY_NAME, key)[0] : undefined;
  }

  /** Calls back with `namespace/name` when one was made, changed or deleted; returns how to stop. */
  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
