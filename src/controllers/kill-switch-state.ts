import type { ConfigMap } from "../kube/well-known.ts";

export type KillSwitchState =
  | { readonly kind: "Off" }
  | { readonly kind: "On"; readonly message: string }
  /** Automatic acts are held; people may act. */
  | { readonly kind: "Unreadable"; readonly message: string };

/** Where the switch is. */
export interface KillSwitchPlace {
  readonly namespace: string;
  readonly configMap: string;
  readonly key: string;
}

/** What the ConfigMap says, if there is one: anything but "false" stops all acts. Pure. */
export function readKillSwitch(object: ConfigMap | undefined, place: KillSwitchPlace): KillSwitchState {
  if (object === undefined) return { kind: "Off" };
  // Whoever makes this ConfigMap wants a stop; a mistyped key or an empty value must not mean "go on".
  const value = object.data?.[place.key]?.trim() ?? "";
  if (value.toLowerCase() === "false") return { kind: "Off" };
  return {
    kind: "On",
    message: `the kill switch is on (${describe(place)} is "${value.slice(0, 64)}"): remove it to act again`,
  };
}

/** `key "stop" of ConfigMap rollback-system/rollback-kill-switch`. */
export function describe({ namespace, configMap, key }: KillSwitchPlace): string {
  return `key "${key}" of ConfigMap ${namespace}/${configMap}`;
}
