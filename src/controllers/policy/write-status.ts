import { keyOf } from "../../kube/objects.ts";
import { ROLLBACK_POLICIES, type RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import type { Breach } from "./breach-condition.ts";
import { decisionFact } from "./facts.ts";
import type { PolicyPorts } from "./ports.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { policyStatus, type PolicyFacts, type Standing } from "./status.ts";

/** A policy that evaluates nothing: its other conditions say that they are not known. */
export function writeBlocked(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  policy: RollbackPolicy,
  standing: Standing,
  signal: AbortSignal,
): Promise<void> {
  const { reason, message } = standing;
  const unready: Breach = { status: "False", reason, message };
  const unknown: Breach = { status: "Unknown", reason, message: "nothing is evaluated" };
  return writePolicyStatus(ports, policy, standing, unready, unknown, decisionFact(policy, runtime), signal);
}

/** Writes the status where it differs, unless the spec has changed meanwhile. Throws KubeError. */
export async function writePolicyStatus(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  standing: Standing,
  rollbackReady: Breach,
  breached: Breach,
  facts: PolicyFacts,
  signal: AbortSignal,
): Promise<void> {
  // The newest version that the cache holds: sampling took its time.
  const current = ports.policies.get(keyOf(policy)) ?? policy;
  // The change that brought another spec has queued the next pass.
  if (isOutdated(ports, policy)) return;
  const status = policyStatus(current, standing, rollbackReady, breached, facts, ports.clock.now());
  await writeStatus(ports.client, ROLLBACK_POLICIES, current, status, { signal });
}

/** Whether the cache holds another spec than the one that was looked at. */
export function isOutdated({ policies }: PolicyPorts, policy: RollbackPolicy): boolean {
  const current = policies.get(keyOf(policy))?.metadata;
  return current?.uid !== policy.metadata.uid || current.generation !== policy.metadata.generation;
}
