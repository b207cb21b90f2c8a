import { keyOf } from "../../kube/objects.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { PolicyPorts } from "./ports.ts";

/**
 * Counts policies by the status of their Ready condition, and calls back after each change; returns how to stop. Kept
 * by differences: ten thousand policies that become Ready would otherwise be counted ten thousand times.
 */
export function countPolicies(
  { policies }: Pick<PolicyPorts, "policies">,
  onCounts: (counts: ReadonlyMap<string, number>) => void,
): () => void {
  const counts = new Map([
    ["True", 0],
    ["False", 0],
    ["Unknown", 0],
  ]);
  const states = new Map<string, string>();
  const move = (key: string, to: string | undefined) => {
    const from = states.get(key);
    if (from === to) return;
    if (from !== undefined) counts.set(from, (counts.get(from) ?? 0) - 1);
    if (to === undefined) states.delete(key);
    else {
      states.set(key, to);
      counts.set(to, (counts.get(to) ?? 0) + 1);
    }
    onCounts(counts);
  };
  for (const policy of policies.list()) move(keyOf(policy), stateOf(policy));
  onCounts(counts);
  return policies.onChange(({ type, object }) =>
    move(keyOf(object), type === "deleted" ? undefined : stateOf(object)),
  );
}

function stateOf({ status }: RollbackPolicy): string {
  return status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";
}
