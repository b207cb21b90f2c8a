import type { PrometheusApi } from "./client.ts";
import type { Gate } from "./gate.ts";
import type { Proofs } from "./proofs.ts";

/** What the groups of one server share. */
export interface GroupContext {
  readonly api: PrometheusApi;
  readonly proofs: Proofs;
  /** Through which range queries go. */
  readonly gate: Gate;
}
