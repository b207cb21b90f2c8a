import type { Clock } from "../kube/clock.ts";
import type { ReflectorHealth } from "../kube/reflector.ts";
import type { Store } from "../kube/store.ts";
import type { ConfigMap } from "../kube/well-known.ts";
import type { KillSwitchState } from "./request/situation.ts";

/** Without news from the API server for this long, what is known of the switch is too old to act on. */
const BLIND_AFTER_MS = 180_000;

export interface KillSwitchOptions {
  readonly store: Store<ConfigMap>;
  readonly health: () => ReflectorHealth;
  readonly namespace: string;
  readonly configMap: string;
  readonly key: string;
  readonly clock: Pick<Clock, "now">;
}

export interface KillSwitch {
  state(): KillSwitchState;
  /** Calls back when the switch may have moved; returns how to stop. */
  onChange(listener: () => void): () => void;
}

/** One key of one ConfigMap, watched through the API: anything but "false" stops all acts. No ConfigMap means off. */
export function createKillSwitch(options: KillSwitchOptions): KillSwitch {
  const { store, health, namespace, configMap, key, clock } = options;
  const where = `key "${key}" of ConfigMap ${namespace}/${configMap}`;
  return {
    state() {
      const { synced, lastContact, lastError } = health();
      const blind = lastContact === undefined || clock.now() - lastContact > BLIND_AFTER_MS;
      if (!synced || (blind && lastError !== undefined)) {
        return {
          kind: "Unreadable",
          message: `the kill switch (${where}) cannot be read, so nothing automatic is done`,
        };
      }
      const object = store.get(`${namespace}/${configMap}`);
      if (object === undefined) return { kind: "Off" };
      // Whoever makes this ConfigMap wants a stop; a mistyped key or an empty value must not mean "go on".
      const value = object.data?.[key]?.trim() ?? "";
      if (value.toLowerCase() === "false") return { kind: "Off" };
      return {
        kind: "On",
        message: `the kill switch is on (${where} is "${value.slice(0, 64)}"): remove it to act again`,
      };
    },
    onChange: (listener) => store.onChange(listener),
  };
}
