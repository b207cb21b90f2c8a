import { z } from "zod";
import { DURATION_PATTERN } from "./duration.ts";

export const GROUP = "rollback.llm-research-lab.io";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** A rule in CEL, evaluated by the API server on every write of the object it stands on. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly optionalOldSelf?: boolean;
}

/** Schema metadata that becomes `x-kubernetes-*` extensions and the description of the CRD. */
export function meta(description: string, extensions: Record<string, unknown> = {}): Record<string, unknown> {
  return { description, ...extensions };
}

export function cel(...rules: readonly CelRule[]): { "x-kubernetes-validations": readonly CelRule[] } {
  return { "x-kubernetes-validations": rules };
}

/** A list whose entries are found by `key`, so that appliers merge by entry. */
export function listMap(key: string): Record<string, unknown> {
  return { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] };
}

export const atomicList = { "x-kubernetes-list-type": "atomic" } as const;

export function duration(description: string, ...rules: readonly CelRule[]) {
  return z
    .string()
    .max(20)
    .regex(new RegExp(DURATION_PATTERN))
    .meta(meta(`${description} Units: h, m, s, ms.`, rules.length > 0 ? cel(...rules) : {}));
}

/** A duration within bounds, both included, written as durations themselves. */
export function limitedDuration(description: string, atLeast: string, atMost: string) {
  return duration(description, {
    rule: `duration(self) >= duration('${atLeast}') && duration(self) <= duration('${atMost}')`,
    message: `must be between ${atLeast} and ${atMost}`,
  });
}

/** The name of an object or of an entry: a DNS label, as it becomes part of label values. */
export function dnsLabel(description: string) {
  return z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .meta(meta(description));
}

/** The name of a Kubernetes object: a DNS subdomain. */
export function objectName(description: string) {
  return z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
    .meta(meta(description));
}

/** A decimal number as text: the Kubernetes API conventions forbid floats in a spec. */
export function decimal(description: string, ...rules: readonly CelRule[]) {
  return z
    .string()
    .min(1)
    .max(32)
    .regex(/^-?[0-9]+(\.[0-9]+)?$/)
    .meta(
      meta(
        `${description} A decimal number written as text, such as "0.10".`,
        rules.length > 0 ? cel(...rules) : {},
      ),
    );
}

export function text(description: string, max: number) {
  return z.string().max(max).meta(meta(description));
}

export function time(description: string) {
  return z
    .string()
    .max(40)
    .meta(meta(description, { format: "date-time" }));
}

export const Severity = z
  .enum(["SEV1", "SEV2", "SEV3", "SEV4"])
  .meta(meta("Severity of the incident: SEV1 is the worst."));
export type Severity = z.output<typeof Severity>;

/** Kubernetes condition, as every kind of ours carries it. */
export const Condition = z
  .object({
    type: text("Type of the condition, in CamelCase.", 316),
    status: z.enum(["True", "False", "Unknown"]).meta(meta("True, False or Unknown.")),
    observedGeneration: z
      .int()
      .optional()
      .meta(meta("Generation of the spec that this condition speaks of.")),
    lastTransitionTime: time("When the status last changed."),
    reason: text("One word in CamelCase that says why.", 1024),
    message: text("One readable sentence.", 32768),
  })
  .meta(meta("One observed fact of the object."));
export type Condition = z.output<typeof Condition>;

export const Conditions = z
  .array(Condition)
  .max(32)
  .meta(
    meta("Conditions after the kstatus rules: Ready, Reconciling, Stalled and our own.", listMap("type")),
  );

export const PodTemplateHash = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]+$/)
  .meta(
    meta(
      "Value of the label pod-template-hash (of a Rollout: rollouts-pod-template-hash); for a StatefulSet or DaemonSet the hash of its ControllerRevision.",
    ),
  );

/** Kinds of Kubernetes itself that run pods for good. */
export const BuiltInWorkloadKind = z
  .enum(["Deployment", "StatefulSet", "DaemonSet"])
  .meta(meta("Kind of the workload."));
export type BuiltInWorkloadKind = z.output<typeof BuiltInWorkloadKind>;

/** Kinds whose pod template the action `workload` puts back. */
export const WorkloadKind = z
  .enum([...BuiltInWorkloadKind.options, "Rollout"])
  .meta(meta("Kind of the workload; Rollout is that of Argo Rollouts."));
export type WorkloadKind = z.output<typeof WorkloadKind>;

export const SpecTarget = z
  .object({
    apiVersion: z.literal("apps/v1").default("apps/v1").meta(meta("API version of the workload.")),
    kind: z.enum(["Deployment"]).meta(meta("Kind of the workload.")),
    name: objectName("Name of the workload, in the namespace of this object."),
  })
  .meta(meta("The workload."));
export type SpecTarget = z.output<typeof SpecTarget>;
