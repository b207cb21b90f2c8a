import type { TemporaryChange } from "../crds/temporary-change.ts";

/** `minReplicas 3`, `3 replicas`: how a number that is changed for a time reads. */
export function valueText({ change }: Pick<TemporaryChange, "change">, value: number): string {
  if (change === "MinReplicas") return `minReplicas ${value}`;
  return value === 1 ? "1 replica" : `${value} replicas`;
}
