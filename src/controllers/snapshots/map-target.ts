import type { TargetKey } from "../../actions/action.ts";

/** The key of a ConfigMap's ledger. */
export function mapTarget(namespace: string, name: string): TargetKey {
  return { group: "", kind: "ConfigMap", namespace, name };
}
