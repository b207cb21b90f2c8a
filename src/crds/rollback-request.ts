import { z } from "zod";
import { CanaryPlan, Traffic } from "./canary-step.ts";
import {
  atomicList,
  cel,
  Conditions,
  dnsLabel,
  limitedDuration,
  listMap,
  meta,
  objectName,
  PodTemplateHash,
  Severity,
  SpecTarget,
  text,
  time,
} from "./common.ts";
import { HoldStatus, PlannedHold } from "./gitops-hold.ts";
import { AllowedImages, PolicySignal } from "./rollback-policy.ts";
import { HAS_A_CHANGING_STEP, ImagePin, REPLICAS, steps } from "./steps.ts";
import { TemporaryChange } from "./temporary-change.ts";
import { Verification } from "./verification.ts";

/** Wider than the hash alone: pods of a StatefulSet are labelled with the name of their ControllerRevision. */
const LivePodTemplateHash = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
  .meta(meta("Value of the label pod-template-hash or controller-revision-hash, as the live pods carry it."));

/** How long a request waits for its approval unless it says otherwise. */
export const DEFAULT_EXPIRES_AFTER = "30m";

export const RollbackRequestSpec = z
  .object({
    reason: text('Why, in your words, such as "5xx since v1.2.3 (INC-231)".', 1024).default(""),
    policyRef: z
      .object({ name: objectName("Name of a RollbackPolicy of this namespace.") })
      .optional()
      .meta(
        meta("The policy that executor, target and verification come from; they are copied at acceptance."),
      ),
    plan: dnsLabel(
      "Name of one of the policy's plans. Default, with a policyRef and without steps: its first.",
    ).optional(),
    steps: steps(
      "What to roll back, in this order. Default, with a policyRef: the steps of its plan.",
    ).optional(),
    serviceAccountName: objectName(
      "ServiceAccount of this namespace that acts. Default: the policy's, else the operator's configured name.",
    ).optional(),
    requestedBy: text(
      "Who asks: a claim, unless the admission policy of the installation compares it with the API user.",
      256,
    ).optional(),
    severity: Severity.optional(),
    expect: z
      .object({ podTemplateHash: LivePodTemplateHash })
      .optional()
      .meta(
        meta("The live state that is meant to go away. The request is refused if something else is live."),
      ),
    approval: z
      .enum(["Auto", "Required"])
      .default("Auto")
      .meta(
        meta(
          "Auto acts at once. Required plans, shows the plan and waits until somebody approves it by its digest.",
        ),
      ),
    expiresAfter: limitedDuration(
      "How long it waits for its approval before it expires.",
      "1s",
      "168h",
    ).default(DEFAULT_EXPIRES_AFTER),
    runAfter: limitedDuration(
      "A request that waits for its approval runs after this time unless it was denied. The operator sets it where the last release is the proven cause.",
      "1s",
      "168h",
    ).optional(),
    dryRun: z.boolean().default(false).meta(meta("Plan and preflight only; nothing is changed.")),
    onFailure: z
      .enum(["Stop", "Continue", "Compensate"])
      .default("Stop")
      .meta(
        meta(
          "What a step that fails means for the others. Stop: what was changed stays. Continue: later steps on other objects still run; the request ends Failed. Compensate: what was changed is undone in reverse, where it is still as we left it.",
        ),
      ),
    deadline: limitedDuration(
      "From the first act to the end of the last step; once more as long for undoing them.",
      "1s",
      "24h",
    ).default("30m"),
    verification: Verification.optional(),
  })
  .meta(
    meta(
      "One attempt, frozen at creation.",
      cel(
        {
          rule: "self == oldSelf",
          message: "spec is immutable: create a new RollbackRequest with a new name",
        },
        {
          rule: "has(self.policyRef) || (has(self.steps) && self.steps.all(s, !has(s.workload) || has(s.workload.name)))",
          message: "must have `policyRef`, or `steps` whose `workload` has `kind` and `name`",
        },
        {
          rule: "has(self.policyRef) || !has(self.verification) || !has(self.verification.checks) || self.verification.checks.all(check, !has(check.signal))",
          message: "a `signal` check needs `policyRef`: signals are those of a policy",
        },
        HAS_A_CHANGING_STEP,
        {
          rule: "!has(self.plan) || (has(self.policyRef) && !has(self.steps))",
          message: "`plan` is the name of a plan of `policyRef`: set it without `steps`",
        },
        {
          rule: "!has(self.runAfter) || (self.approval == 'Required' && duration(self.runAfter) < duration(self.expiresAfter))",
          message: "`runAfter` needs `approval: Required` and must be shorter than `expiresAfter`",
        },
      ),
    ),
  );
export type RollbackRequestSpec = z.output<typeof RollbackRequestSpec>;

export const Phase = z
  .enum([
    "Pending",
    "Planning",
    "AwaitingApproval",
    "Applying",
    "Verifying",
    "Succeeded",
    "Failed",
    "Compensated",
    "Superseded",
    "Denied",
    "Expired",
    "Aborted",
  ])
  .meta(
    meta(
      "Where the request is. Succeeded, Failed, Compensated, Superseded, Denied, Expired and Aborted are final.",
    ),
  );
export type Phase = z.output<typeof Phase>;

/** Steps of a request, and as many again that undo them. */
const MOST_STEPS = 40;

/** GitOps owners of the objects of one request. */
const MOST_HOLDS = 8;

/** A revision of a workload as identities only: never a template, never a value. */
export const RevisionRef = z
  .object({
    revision: z.int().meta(meta("Revision number, for information: an undo renumbers it.")),
    name: objectName("Name of the ReplicaSet or ControllerRevision."),
    uid: text("UID of the ReplicaSet or ControllerRevision.", 64),
    podTemplateHash: PodTemplateHash,
    images: z
      .array(text("An image.", 512))
      .max(32)
      .meta(
        meta("Images of its containers, for people; `container=image` if there are several.", atomicList),
      ),
  })
  .meta(meta("A revision of a workload."));
export type RevisionRef = z.output<typeof RevisionRef>;

/** A state of an object as far as a step cares: the members are those of its kind of step. */
export const StepEnd = RevisionRef.partial()
  .extend({
    image: ImagePin.optional(),
    replicas: REPLICAS.optional().meta(meta("How many pods are wanted.")),
    restartedAt: time("Value of the template's annotation kubectl.kubernetes.io/restartedAt.").optional(),
    traffic: Traffic.optional(),
    pausedReplicas: text(
      "Value of the annotation autoscaling.keda.sh/paused-replicas of the ScaledObject.",
      64,
    ).optional(),
    templateDigest: text(
      "Digest of a pod template that is not the stored one of a revision, to know it again while the request runs.",
      64,
    ).optional(),
    color: text("Colour that a Service's selector names.", 63).optional(),
    colorLabel: text("Key of that selector whose value is the colour.", 317).optional(),
    workload: text("Workload whose pods have that colour, as Kind/name.", 320).optional(),
    pods: REPLICAS.optional().meta(
      meta("How many pods that workload has, or must have before it gets traffic."),
    ),
    selectorDigest: text("Digest of the whole selector.", 64).optional(),
    contentDigest: text(
      "Digest of a ConfigMap's content, or of the one key; its snapshot has it in its name.",
      64,
    ).optional(),
    key: text("The one key of a ConfigMap that the step is about.", 253).optional(),
    immutable: z
      .boolean()
      .optional()
      .meta(meta("The ConfigMap is immutable, so it is deleted and created anew.")),
    objectUid: text("UID of the object that the step created in the place of another one.", 64).optional(),
  })
  .meta(meta("A state of the object, as identities and numbers; never a template, never a value."));
export type StepEnd = z.output<typeof StepEnd>;

/** Where a workload goes. A pinned image need not be a revision yet: then it has no identity of one. */
export type PlannedTo = StepEnd & Pick<RevisionRef, "images">;

/** The revision that this state is, where it is one with all its members. */
export function revisionOf(end: StepEnd | undefined): RevisionRef | undefined {
  if (end === undefined) return undefined;
  const { revision, name, uid, podTemplateHash, images } = end;
  return revision === undefined ||
    name === undefined ||
    uid === undefined ||
    podTemplateHash === undefined ||
    images === undefined
    ? undefined
    : { revision, name, uid, podTemplateHash, images };
}

export const PlannedStep = z
  .object({
    name: dnsLabel("Name of the step."),
    digest: text("Digest of what this step will do.", 64),
    action: text("Kind of the step.", 63),
    object: text("The object it writes, as Kind/name.", 320),
    objectUid: text("UID of that object.", 64).optional(),
    nothingToDo: text("Why this step has nothing to do.", 1024).optional(),
    from: StepEnd.optional(),
    to: StepEnd.optional(),
    canary: CanaryPlan.optional(),
    temporary: z
      .array(TemporaryChange)
      .max(8)
      .optional()
      .meta(
        meta(
          "What is changed for a time only, and finished by the operator after the request has ended.",
          atomicList,
        ),
      ),
    promotedBy: text(
      "What carries the change on to the pods that serve, as Kind/name: done when it has.",
      320,
    ).optional(),
    changes: z
      .array(text("A path that changes.", 512))
      .max(64)
      .meta(meta("Paths that change; never values.", atomicList)),
    restarts: z
      .array(text("A workload, as Kind/name.", 320))
      .max(64)
      .optional()
      .meta(
        meta(
          "Workloads whose pods are replaced after the change, since they would not notice it.",
          atomicList,
        ),
      ),
    warnings: z
      .array(text("A warning.", 1024))
      .max(32)
      .meta(meta("What a person should know before it runs.", atomicList)),
  })
  .meta(meta("The plan of one step, as immutable identities."));
export type PlannedStep = z.output<typeof PlannedStep>;

export const StepStatus = z
  .object({
    name: dnsLabel("Name of the step."),
    state: z
      .enum(["Pending", "Applying", "Applied", "Succeeded", "Skipped", "Failed", "Superseded"])
      .meta(meta("Where the step is. Skipped: there was nothing to do.")),
    startedAt: time("When its first act was announced.").optional(),
    appliedAt: time("When its change was seen stored.").optional(),
    finishedAt: time("When it ended.").optional(),
    message: text("What it does now, or how it ended.", 2048).optional(),
    undoes: dnsLabel("The step whose change this one takes back; such steps are not in the spec.").optional(),
    before: StepEnd.optional(),
    after: StepEnd.optional(),
  })
  .meta(meta("What happened in one step."));
export type StepStatus = z.output<typeof StepStatus>;

export const CheckOutcome = z
  .enum(["Pending", "Passed", "Failed", "Inconclusive"])
  .meta(meta("Outcome of a check. No data is never Passed."));
export type CheckOutcome = z.output<typeof CheckOutcome>;

export const Trigger = z
  .object({
    policy: objectName("The policy that decided.").optional(),
    row: text("The row that fired.", 63).optional(),
    signal: text("The signal.", 63).optional(),
    value: text("Its value.", 64).optional(),
    threshold: text("The row's threshold.", 64).optional(),
    breachSince: time("First breach of the unbroken run.").optional(),
    attribution: text("Why the last release is held responsible.", 1024).optional(),
    sentence: text("The whole finding in one sentence.", 1024).optional(),
    claimedBy: text("Who asked, as claimed.", 256).optional(),
  })
  .meta(meta("What made this request: a policy, or a person."));
export type Trigger = z.output<typeof Trigger>;

export const RollbackRequestStatus = z
  .object({
    observedGeneration: z.int().optional().meta(meta("Generation that these facts speak of.")),
    phase: Phase.optional(),
    target: text("The object that is rolled back, as Kind/name; the first of several.", 320).optional(),
    progress: text("Steps finished of steps in all.", 16).optional(),
    conditions: Conditions.optional(),
    resolved: z
      .object({
        serviceAccountName: objectName("The ServiceAccount that acts."),
        verification: Verification.optional(),
        signals: z
          .array(PolicySignal)
          .max(16)
          .optional()
          .meta(meta("Signals of the policy that the checks read.", listMap("name"))),
        policyUid: text("UID of the policy, if one was named.", 64).optional(),
        specDigest: text("Digest of the spec, for the replay rule.", 64),
        target: z
          .object({
            kind: SpecTarget.shape.kind,
            name: objectName("Name of the workload."),
          })
          .optional()
          .meta(meta("The policy's target, where a step left its workload to the policy.")),
        allowedImages: AllowedImages.optional(),
        steps: steps("Steps of the policy's plan, where the request has none of its own.").optional(),
        holdPolicy: objectName("The policy whose guards let this request stop GitOps tools.").optional(),
        automatic: z.boolean().meta(meta("Whether the operator made this request by itself.")),
      })
      .optional()
      .meta(meta("What was copied at acceptance, so that a later edit of the policy changes nothing.")),
    plan: z
      .object({
        digest: text("Digest over the steps' digests in order, and over the holds.", 64),
        steps: z
          .array(PlannedStep)
          .max(MOST_STEPS)
          .meta(meta("The steps; once they are undone, followed by those that undo them.", listMap("name"))),
        holds: z
          .array(PlannedHold)
          .max(MOST_HOLDS)
          .optional()
          .meta(meta("What is stopped before the first change, so that it lasts.", atomicList)),
      })
      .optional()
      .meta(meta("The plan.")),
    steps: z
      .array(StepStatus)
      .max(MOST_STEPS)
      .optional()
      .meta(meta("What happened.", listMap("name"))),
    holds: z
      .array(HoldStatus)
      .max(MOST_HOLDS)
      .optional()
      .meta(meta("GitOps tools' objects that this request stops.", atomicList)),
    compensating: z
      .object({
        reason: text("Reason of the failure, in CamelCase.", 63),
        message: text("What failed.", 2048),
        since: time("When undoing began."),
      })
      .optional()
      .meta(meta("Why finished steps are undone.")),
    trigger: Trigger.optional(),
    checks: z
      .array(
        z
          .object({
            name: dnsLabel("Name of the check."),
            outcome: CheckOutcome,
            value: text("The newest value or reason.", 512).optional(),
            samples: z.int().meta(meta("Samples that were a verdict.")),
          })
          .meta(meta("One check.")),
      )
      .max(32)
      .optional()
      .meta(meta("The checks and their outcome.", listMap("name"))),
    timeline: z
      .object({
        released: time("Start of the release that is undone, if it is known.").optional(),
        breached: time("First breach of the unbroken run.").optional(),
        decided: time("When the policy decided.").optional(),
        accepted: time("When the request was first seen.").optional(),
        planned: time(
          "When the plan was made; of a request that waits for approval, the first one.",
        ).optional(),
        replanned: time("When the plan of a request that waits for approval last changed.").optional(),
        approved: time("When the operator saw the approval.").optional(),
        applied: time("When the change was stored.").optional(),
        completed: time("When the old version was complete.").optional(),
        verified: time("When the verification ended.").optional(),
      })
      .optional()
      .meta(meta("When things happened.")),
  })
  .meta(
    meta("What the operator observed. Written by the operator only.", {
      default: { observedGeneration: -1 },
    }),
  );
export type RollbackRequestStatus = z.output<typeof RollbackRequestStatus>;
