import { z } from "zod";
import type { KindDefinition } from "./kind.ts";
import {
  atomicList,
  cel,
  dnsLabel,
  duration,
  limitedDuration,
  listMap,
  meta,
  objectName,
  SpecTarget,
  text,
} from "./common.ts";
import { HAS_A_CHANGING_STEP, steps } from "./steps.ts";
import { Guards } from "./policy-guards.ts";
import { MatrixRow } from "./policy-matrix.ts";
import { RollbackPolicyStatus } from "./policy-status.ts";
import { AlertSignal } from "./alert-signal.ts";
import { PodSignal } from "./pod-signal.ts";
import { PrometheusSource } from "./prometheus-signal.ts";
import { Verification } from "./verification.ts";
import { VulnerabilitySignal } from "./vulnerability-signal.ts";

export const AllowedImages = z
  .array(text("An image reference, exactly as a pod template has it.", 512).min(1))
  .max(100)
  .meta(meta("Images that a request may pin although the target's history does not have them.", atomicList));

export const PolicySignal = z
  .object({
    name: dnsLabel("Name of the signal, unique in the policy."),
    unit: z
      .enum(["ratio", "seconds", "milliseconds", "count"])
      .optional()
      .meta(
        meta(
          "Unit of the value. Default by source: ratio for `ratio`, seconds for `quantile`, count for every other. Milliseconds are converted to seconds.",
        ),
      ),
    prometheus: PrometheusSource.optional(),
    pods: PodSignal.optional(),
    vulnerabilityReports: VulnerabilitySignal.optional(),
    alert: AlertSignal.optional(),
  })
  .meta(
    meta(
      "A service level that is watched.",
      cel(
        {
          rule: "[has(self.prometheus), has(self.pods), has(self.vulnerabilityReports), has(self.alert)].filter(x, x).size() == 1",
          message: "must have exactly one of `prometheus`, `pods`, `vulnerabilityReports`, `alert`",
        },
        {
          rule: "!has(self.unit) || has(self.prometheus)",
          message: "`unit` is for `prometheus`; every other source counts",
        },
      ),
    ),
  );
export type PolicySignal = z.output<typeof PolicySignal>;

function kept(description: string) {
  return z.int().min(1).max(1_000).default(10).meta(meta(description));
}

export const PolicyPlan = z
  .object({
    name: dnsLabel("Name of the plan, unique in the policy; rows and requests name it."),
    steps: steps("What is rolled back, in this order. A `workload` without a name is the policy's target."),
  })
  .meta(meta("A way back.", cel(HAS_A_CHANGING_STEP)));
export type PolicyPlan = z.output<typeof PolicyPlan>;

export const RollbackPolicySpec = z
  .object({
    target: SpecTarget,
    serviceAccountName: objectName(
      "ServiceAccount of this namespace as which every read of a plan and every write is done. Unset: the policy may not act.",
    ).optional(),
    mode: z
      .enum(["Enforce", "Observe"])
      .default("Enforce")
      .meta(meta("Enforce acts; Observe evaluates, records and tells, but never acts.")),
    suspend: z.boolean().default(false).meta(meta("Nothing is evaluated while true.")),
    interval: duration("Time between two evaluations.", {
      rule: "duration(self) >= duration('1s') && duration(self) <= duration('1h')",
      message: "must be between 1s and 1h",
    }).default("15s"),
    bake: limitedDuration(
      "How long a release must be complete, with every row Ok and with traffic, to become known good.",
      "1s",
      "720h",
    ).default("10m"),
    signals: z
      .array(PolicySignal)
      .min(1)
      .max(16)
      .meta(meta("What is watched.", listMap("name"))),
    matrix: z
      .array(MatrixRow)
      .min(1)
      .max(32)
      .optional()
      .meta(
        meta(
          "The decision matrix. Of each plan the strongest firing row wins (Rollback, Propose, Prepare, Notify), then the order. Default: the rows of the runbook for the signals that have its names; `status.matrix` shows them.",
          listMap("name"),
        ),
      ),
    attribution: z
      .object({
        lookback: limitedDuration(
          "A release older than this is never rolled back automatically.",
          "1s",
          "720h",
        ).default("60m"),
        require: z
          .enum(["Caused", "Likely"])
          .default("Likely")
          .meta(
            meta(
              "How sure it must be that the last release is the cause, before anything is rolled back without asking.",
            ),
          ),
        podLabel: z
          .string()
          .min(1)
          .max(253)
          .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/)
          .default("pod")
          .meta(
            meta("Label of the metrics that holds the name of the pod, to compare new pods with old ones."),
          ),
      })
      .default({ lookback: "60m", require: "Likely", podLabel: "pod" })
      .meta(meta("When the last release is held responsible for a breach.")),
    plans: z
      .array(PolicyPlan)
      .min(1)
      .max(10)
      .optional()
      .meta(
        meta(
          "The ways back; the first is the default. Default: one plan `application`, which takes the target to its last known good revision.",
          listMap("name"),
        ),
      ),
    allowedImages: AllowedImages.default([]),
    verification: Verification.default({ settle: "10s", soak: "60s", interval: "10s" }),
    guards: Guards,
    history: z
      .object({
        successful: kept("Finished requests that succeeded."),
        failed: kept("Finished requests of every other phase."),
      })
      .default({ successful: 10, failed: 10 })
      .meta(
        meta(
          "Finished requests of this policy that are kept; older ones are deleted. Requests with marks of Argo CD or Flux are never deleted.",
        ),
      ),
  })
  .meta(
    meta(
      "What to watch, when to act, how to know that it helped.",
      cel(
        {
          rule: "!has(self.matrix) || self.matrix.all(row, self.signals.exists(signal, signal.name == row.when.signal))",
          message: "every row's `when.signal` must be the name of a signal of this policy",
        },
        {
          rule: "!has(self.matrix) || self.matrix.all(row, !has(row.plan) || (has(self.plans) ? self.plans.exists(plan, plan.name == row.plan) : row.plan == 'application'))",
          message: "every row's `plan` must be the name of a plan of this policy",
        },
        {
          rule: "!has(self.verification.checks) || self.verification.checks.all(check, !has(check.signal) || self.signals.exists(signal, signal.name == check.signal.name))",
          message: "every signal check of `verification` must name a signal of this policy",
        },
        {
          rule: "!has(self.verification.checks) || self.verification.checks.all(check, !has(check.signal) || !self.signals.exists(signal, signal.name == check.signal.name && has(signal.vulnerabilityReports)))",
          message:
            "no check of `verification` may name a `vulnerabilityReports` signal: it compares with a rollback target, and is not measured after a rollback",
        },
        {
          rule: "!has(self.verification.checks) || self.verification.checks.all(check, !has(check.signal) || has(check.signal.above) || has(check.signal.below) || !has(self.matrix) || self.matrix.exists(row, row.when.signal == check.signal.name))",
          message:
            "a signal check of `verification` needs `above` or `below`, or a row of the matrix about its signal",
        },
      ),
    ),
  );
export type RollbackPolicySpec = z.output<typeof RollbackPolicySpec>;

export const RollbackPolicyKind: KindDefinition = {
  kind: "RollbackPolicy",
  plural: "rollbackpolicies",
  singular: "rollbackpolicy",
  shortNames: ["rbp"],
  description:
    "A RollbackPolicy says what to watch on a workload, when to roll it back, and how to know that it helped.",
  spec: RollbackPolicySpec,
  status: RollbackPolicyStatus,
  columns: [
    { name: "Target", type: "string", jsonPath: ".status.target" },
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    {
      name: "Rollback-Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="RollbackReady")].status',
    },
    { name: "Rollback-To", type: "string", jsonPath: ".status.rollbackTarget" },
    { name: "Breached", type: "string", jsonPath: '.status.conditions[?(@.type=="Breached")].status' },
    { name: "Message", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].message' },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    { name: "Mode", type: "string", jsonPath: ".spec.mode", priority: 1 },
    { name: "Last-Decision", type: "string", jsonPath: ".status.lastDecision.reason", priority: 1 },
  ],
};
