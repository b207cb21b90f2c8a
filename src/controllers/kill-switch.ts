import type { Clock } from "../kube/clock.ts";
import type { ReflectorHealth } from "../kube/reflector.ts";
import type { Store } from "../kube/store.ts";
import type { ConfigMap } from "../kube/well-known.ts";
import { describe, readKillSwitch, type KillSwitchPlace, type KillSwitchState } from "./kill-switch-state.ts";

/** Without news from the API server for this long, what is known of the switch is too old to act on. */
const BLIND_AFTER_MS = 180_000;

export interface KillSwitchOptions extends KillSwitchPlace {
  readonly store: Store<ConfigMap>;
  readonly health: () => ReflectorHealth;
  readonly clock: Pick<Clock, "now">;
}

export interface KillSwitch {
  state(): KillSwitchState;
  /** Calls back when the switch may have moved; returns how to stop. */
  onChange(listener: () => void): () => void;
}

/** One key of one ConfigMap, watched through the API: anything but "false" stops all acts. No ConfigMap means off. */
export function createKillSwitch(options: KillSwitchOptions): KillSwitch {
  const { store, health, namespace, configMap, clock } = options;
  return {
    state() {
      const { synced, lastContact, lastError } = health();
      const blind = lastContact === undefined || clock.now() - lastContact > BLIND_AFTER_MS;
      if (!synced || (blind && lastError !== undefined)) {
        return {
          kind: "Unreadable",
          message: `the kill switch (${describe(options)}) cannot be read, so nothing automatic is done`,
        };
      }
      return readKillSwitch(store.get(`${namespace}/${configMap}`), options);
    },
    onChange: (listener) => store.onChange(listener),
  };
}
