import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { Unit } from "../decision/row.ts";
import { unitOf } from "../prometheus/signal-query.ts";

/** The unit that a signal's values and thresholds have. What the cluster tells is counted. */
export function unitOfSignal({ name, unit, prometheus }: PolicySignal): Unit {
  return prometheus === undefined ? "count" : unitOf({ name, unit, prometheus });
}
