import type { RevisionRef } from "../crds/rollback-request.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Right } from "../kube/right.ts";

/** A workload that was put back. */
export interface Restored {
  /** Name of the Deployment. */
  readonly workload: string;
  /** The revision that must run now. */
  readonly revision: RevisionRef;
}

export interface CheckContext {
  readonly executor: KubeClient;
  readonly namespace: string;
  /** Undefined where nothing was put back before the check: then checks of a workload give no verdict. */
  readonly restored: Restored | undefined;
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
  /** What the executor must be allowed; without it the check gives no verdict. `workload` is what is put back. */
  requiredRights(spec: Spec, workload: string): readonly Right[];
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

/** What reading a Deployment, its revisions and its pods takes. */
export function workloadRights(workload: string): readonly Right[] {
  return [
    { apiGroup: "apps", resource: "deployments", verb: "get", name: workload },
    { apiGroup: "apps", resource: "replicasets", verb: "list" },
    { apiGroup: "", resource: "pods", verb: "list" },
  ];
}

export const NOTHING_RESTORED = noVerdict("no step before it put a workload back");
