import type { WorkloadKind } from "../crds/common.ts";
import type { RevisionRef } from "../crds/rollback-request.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import { REVISION_TYPES, WORKLOAD_TYPES } from "../workloads/workload.ts";
import { groupOf } from "../kube/objects.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Right } from "../kube/right.ts";

/** A workload that a step puts back. */
export interface CheckedWorkload {
  readonly kind: WorkloadKind;
  readonly name: string;
}

/** A workload that was put back. */
export interface Restored extends CheckedWorkload {
  /** The revision that must run now. */
  readonly revision: RevisionRef;
}

export interface CheckContext {
  readonly executor: KubeClient;
  readonly namespace: string;
  /** Empty where nothing was put back before the check: then checks of a workload give no verdict. */
  readonly restored: readonly Restored[];
  /** The policy's signals as they were at acceptance. */
  readonly signals: readonly PolicySignal[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/**
 * One look. NoVerdict is for everything that is neither proof of health nor of its lack. Unsettled is what is bad only
 * if it lasts, such as pods that a scale-up has just added.
 */
export interface CheckSample {
  readonly outcome: "Pass" | "Fail" | "NoVerdict" | "Unsettled";
  /** What was seen, for people. */
  readonly value: string;
}

/** One kind of verification check: one folder, one line in the registry. */
export interface Check<Spec> {
  readonly kind: string;
  /** What the executor must be allowed; without it the check gives no verdict. `workloads` are put back before it. */
  requiredRights(spec: Spec, workloads: readonly CheckedWorkload[]): readonly Right[];
  /** How far back a sample looks, milliseconds: judging waits until that lies after the rollback. */
  windowMs(spec: Spec, signals: readonly PolicySignal[]): number;
  sample(spec: Spec, context: CheckContext): Promise<CheckSample>;
}

export function pass(value: string): CheckSample {
  return { outcome: "Pass", value };
}

export function fail(value: string): CheckSample {
  return { outcome: "Fail", value };
}

export function noVerdict(value: string): CheckSample {
  return { outcome: "NoVerdict", value };
}

export function unsettled(value: string): CheckSample {
  return { outcome: "Unsettled", value };
}

/** What reading workloads, their revisions and their pods takes. */
export function workloadRights(workloads: readonly CheckedWorkload[]): readonly Right[] {
  return workloads.flatMap(({ kind, name }) => [
    { apiGroup: groupOf(WORKLOAD_TYPES[kind]), resource: WORKLOAD_TYPES[kind].plural, verb: "get", name },
    { apiGroup: "apps", resource: REVISION_TYPES[kind].plural, verb: "list" },
    { apiGroup: "", resource: "pods", verb: "list" },
  ]);
}

/** Samples every workload that was put back; the worst of them counts. */
export async function sampleEach(
  restored: readonly Restored[],
  sampleOne: (workload: Restored) => Promise<CheckSample>,
): Promise<CheckSample> {
  const samples = await Promise.all(restored.map(sampleOne));
  const [first] = samples;
  if (first === undefined) return noVerdict("no step before it put a workload back or restarted one");
  if (samples.length === 1) return first;
  const outcomes = ["Fail", "Unsettled", "NoVerdict", "Pass"] as const;
  const outcome = outcomes.find((each) => samples.some((sample) => sample.outcome === each)) ?? "NoVerdict";
  const told = samples.flatMap(({ outcome: own, value }, index) =>
    own === outcome ? [`${restored[index]?.name}: ${value}`] : [],
  );
  return { outcome, value: told.join(", ") };
}
