import type { RevisionRef } from "../crds/rollback-request.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { KubeClient } from "../kube/client.ts";

export interface CheckContext {
  readonly executor: KubeClient;
  readonly namespace: string;
  /** Name of the Deployment that was rolled back. */
  readonly workload: string;
  /** The revision that must run now. */
  readonly expected: RevisionRef;
  /** The policy's signals as they were at acceptance. */
  readonly signals: readonly PolicySignal[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** One look. NoVerdict is for everything that is neither proof of health nor of its lack. */
export interface CheckSample {
  readonly outcome: "Pass" | "Fail" | "NoVerdict";
  /** What was seen, for people. */
  readonly value: string;
}

/** One kind of verification check: one folder, one line in the registry. */
export interface Check<Spec> {
  readonly kind: string;
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
