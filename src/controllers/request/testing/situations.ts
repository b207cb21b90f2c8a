import fc from "fast-check";
import type { PlanResult, Progress } from "../../../actions/action.ts";
import { createActions } from "../../../actions/registry.ts";
import type { WorkloadPlan } from "../../../actions/workload/index.ts";
import type { HoldStatus } from "../../../crds/gitops-hold.ts";
import type {
  PlannedStep,
  RevisionRef,
  RollbackRequestSpec,
  StepStatus,
} from "../../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../../kube/rollback-kinds.ts";
import { FINALIZER } from "../phase.ts";
import { resolve } from "../resolve.ts";
import { pass } from "../../../checks/check.ts";
import { SoakRuns, type SoakState } from "../../../checks/soak-runs.ts";
import type { RequestPlan, Situation } from "../situation.ts";

export const NOW = Date.parse("2026-01-01T00:10:00Z");
export const AT = "2026-01-01T00:09:50.000Z";

export const FROM: RevisionRef = {
  revision: 3,
  name: "web-h3",
  uid: "uid-3",
  podTemplateHash: "h3",
  images: ["web:v3"],
};
export const TO: RevisionRef = {
  revision: 2,
  name: "web-h2",
  uid: "uid-2",
  podTemplateHash: "h2",
  images: ["web:v2"],
};
export const AFTER: RevisionRef = { ...TO, revision: 4 };

export const PLAN: WorkloadPlan = {
  name: "app",
  digest: "d",
  action: "workload",
  object: "Deployment/web",
  objectUid: "deployment-uid",
  from: FROM,
  to: TO,
  changes: ["template.spec"],
  warnings: [],
};

/** The second step of a request of two. */
export const SECOND: PlannedStep = { ...PLAN, name: "second", object: "Deployment/second", digest: "d2" };

/** The plan of a request with this one step. */
export const WHOLE_PLAN: RequestPlan = { digest: "d", steps: [PLAN] };

export const ACTIONS = createActions({
  stuckAfterMs: () => 60_000,
  soaks: new SoakRuns({ requiredRights: () => [], windowMs: () => 0, sample: async () => pass("fine") }),
});

const SPEC: RollbackRequestSpec = {
  reason: "5xx",
  steps: [
    {
      name: "app",
      timeout: "5m",
      workload: { kind: "Deployment", name: "web", to: { strategy: "LastKnownGood" } },
    },
  ],
  approval: "Auto",
  expiresAfter: "30m",
  dryRun: false,
  onFailure: "Stop",
  deadline: "30m",
};

/** Of the request's one target. */
export const HOLD: HoldStatus = {
  kind: "Application",
  namespace: "argocd",
  name: "web",
  uid: "app-1",
  found: "Absent",
  objects: ["Deployment/web"],
  state: "Held",
  since: AT,
};

export interface RequestOptions {
  readonly spec?: Partial<RollbackRequestSpec>;
  readonly status?: RollbackRequest["status"];
  readonly step?: Partial<StepStatus>;
  readonly metadata?: Partial<RollbackRequest["metadata"]>;
}

export function requestOf({ spec, status, step, metadata }: RequestOptions = {}): RollbackRequest {
  const steps: StepStatus[] =
    step === undefined ? [] : [{ name: "app", state: "Applying", startedAt: AT, before: FROM, ...step }];
  const plan = { digest: "d", steps: [PLAN] };
  return {
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackRequest",
    metadata: {
      name: "undo",
      namespace: "shop",
      uid: "request-uid",
      resourceVersion: "1",
      generation: 1,
      creationTimestamp: "2026-01-01T00:09:40Z",
      ...metadata,
    },
    spec: { ...SPEC, ...spec },
    status: { observedGeneration: -1, ...(step === undefined ? {} : { steps, plan }), ...status },
  };
}

export function situationOf(request: RollbackRequest, known: Partial<Situation> = {}): Situation {
  return {
    request,
    resolution: resolve({
      request,
      policy: undefined,
      defaultExecutor: "rollback-executor",
      actions: ACTIONS,
    }),
    ledgers: new Map(),
    automatic: undefined,
    twin: undefined,
    mayRunUnasked: false,
    killSwitch: { kind: "Off" },
    policy: undefined,
    frozenBy: undefined,
    plan: undefined,
    lock: undefined,
    holding: undefined,
    replanned: undefined,
    progress: undefined,
    verification: undefined,
    ...known,
  };
}

const words = fc.constantFrom("because", "x".repeat(5_000));
const outcome = fc.constantFrom(
  "Pending" as const,
  "Passed" as const,
  "Failed" as const,
  "Inconclusive" as const,
);
const after = fc.option(fc.constant(AFTER), { nil: undefined });

export const anyPlan: fc.Arbitrary<PlanResult<RequestPlan>> = fc.oneof(
  fc.constant({ kind: "Planned", plan: WHOLE_PLAN } as const),
  words.map((message) => ({ kind: "NothingToDo", message }) as const),
  words.map((message) => ({ kind: "Refused", reason: "Paused", message }) as const),
  words.map((message) => ({ kind: "Superseded", message }) as const),
  words.map((message) => ({ kind: "Pending", message, pollAfterMs: 250 }) as const),
);

/** How the second step of a request may look when it is planned again. */
export const anyPlannedStep: fc.Arbitrary<PlanResult<PlannedStep>> = fc.oneof(
  fc.constantFrom("d2", "other").map((digest) => ({ kind: "Planned", plan: { ...SECOND, digest } }) as const),
  words.map((message) => ({ kind: "NothingToDo", message }) as const),
  words.map((message) => ({ kind: "Refused", reason: "Paused", message }) as const),
  words.map((message) => ({ kind: "Superseded", message }) as const),
);

export const anyProgress: fc.Arbitrary<Progress> = fc.oneof(
  words.map((message) => ({ kind: "Done", message, after: AFTER }) as const),
  fc
    .tuple(words, after)
    .map(([message, known]) =>
      known === undefined
        ? ({ kind: "InProgress", message, pollAfterMs: 1_000 } as const)
        : ({ kind: "InProgress", message, pollAfterMs: 1_000, after: known } as const),
    ),
  words.map(
    (message) =>
      ({ kind: "InProgress", message, pollAfterMs: 1_000, after: AFTER, needsAdvance: true }) as const,
  ),
  words.map((message) => ({ kind: "Failed", reason: "Stuck", message }) as const),
  words.map((message) => ({ kind: "Superseded", message }) as const),
  words.map((message) => ({ kind: "Unreadable", message }) as const),
);

export const anyVerification: fc.Arbitrary<SoakState> = fc.record({
  checks: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("pods", "version", "errors"),
      outcome,
      value: words,
      verdicts: fc.nat(),
    }),
    { selector: ({ name }) => name },
  ),
  endAt: fc.constantFrom(NOW - 1, NOW, NOW + 60_000),
  nextAt: fc.constantFrom(NOW - 1, NOW + 1_000),
});

export const anyRequest: fc.Arbitrary<RollbackRequest> = fc
  .record({
    state: fc.constantFrom(
      undefined,
      "Pending" as const,
      "Applying" as const,
      "Applied" as const,
      "Succeeded" as const,
      "Failed" as const,
      "Superseded" as const,
    ),
    after,
    startedAt: fc.constantFrom(AT, "2026-01-01T00:00:00.000Z"),
    phase: fc.constantFrom(
      undefined,
      "Pending" as const,
      "Planning" as const,
      "AwaitingApproval" as const,
      "Applying" as const,
      "Verifying" as const,
      "Succeeded" as const,
      "Failed" as const,
      "Compensated" as const,
      "Superseded" as const,
      "Denied" as const,
      "Expired" as const,
      "Aborted" as const,
    ),
    approval: fc.constantFrom("Auto" as const, "Required" as const),
    runAfter: fc.constantFrom(undefined, "1s", "10m"),
    planned: fc.constantFrom(undefined, "2026-01-01T00:00:00.000Z", AT),
    answer: fc.constantFrom(
      {},
      { "rollback.llm-research-lab.io/approve": "d", "rollback.llm-research-lab.io/approved-by": "alice" },
      { "rollback.llm-research-lab.io/approve": "other" },
      { "rollback.llm-research-lab.io/deny": "x".repeat(5_000) },
    ),
    accepted: fc.option(fc.constant(FROM), { nil: undefined }),
    old: fc.boolean(),
    dryRun: fc.boolean(),
    abort: fc.boolean(),
    deleted: fc.boolean(),
    finalizer: fc.boolean(),
    deadline: fc.constantFrom("30m", "1m", "0s"),
  })
  .map((of) =>
    requestOf({
      spec: {
        dryRun: of.dryRun,
        deadline: of.deadline,
        approval: of.approval,
        ...(of.runAfter === undefined || of.approval === "Auto" ? {} : { runAfter: of.runAfter }),
      },
      ...(of.state === undefined
        ? {}
        : {
            step: {
              state: of.state,
              startedAt: of.startedAt,
              ...(of.after === undefined ? {} : { after: of.after }),
            },
          }),
      status: {
        observedGeneration: -1,
        ...(of.phase === undefined ? {} : { phase: of.phase }),
        ...(of.planned === undefined ? {} : { timeline: { planned: of.planned } }),
        ...(of.accepted === undefined
          ? {}
          : {
              plan: { digest: "d", steps: [{ ...PLAN, from: of.accepted }] },
              resolved: {
                serviceAccountName: "rollback-executor",
                specDigest: "s",
                automatic: false,
              },
            }),
        ...(of.state === undefined
          ? {}
          : {
              steps: [
                {
                  name: "app",
                  state: of.state,
                  startedAt: of.startedAt,
                  ...(of.after === undefined ? {} : { after: of.after }),
                },
              ],
              plan: { digest: "d", steps: [PLAN] },
            }),
      },
      metadata: {
        ...(of.old ? { creationTimestamp: "2026-01-01T00:00:00Z" } : {}),
        annotations: {
          ...of.answer,
          ...(of.abort ? { "rollback.llm-research-lab.io/abort": "true" } : {}),
        },
        ...(of.deleted ? { deletionTimestamp: "2026-01-01T00:09:59Z" } : {}),
        ...(of.finalizer ? { finalizers: [FINALIZER] } : {}),
      },
    }),
  );

export const anySituation: fc.Arbitrary<Situation> = fc
  .record({
    request: anyRequest,
    twin: fc.boolean(),
    killSwitch: fc.constantFrom(
      { kind: "Off" } as const,
      { kind: "On", message: "stopped" } as const,
      { kind: "Unreadable", message: "unknown" } as const,
    ),
    automatic: fc.boolean(),
    mayRunUnasked: fc.boolean(),
    frozenBy: fc.constantFrom(undefined, undefined, "Deployment/web"),
    plan: fc.option(anyPlan, { nil: undefined }),
    lock: fc.constantFrom(
      undefined,
      { kind: "Held" } as const,
      { kind: "Busy", holder: { namespace: "shop", name: "other", uid: "u" } } as const,
    ),
    progress: fc.option(anyProgress, { nil: undefined }),
    verification: fc.option(anyVerification, { nil: undefined }),
  })
  .map(({ request, twin, automatic, ...known }) =>
    situationOf(request, {
      ...known,
      ...(twin
        ? { twin: { name: "undo", uid: "old", specDigest: "s", at: AT, outcome: "Succeeded" as const } }
        : {}),
      ...(automatic
        ? {
            automatic: {
              request: "undo",
              replicaSetUid: "uid-3",
              podTemplateHash: "h3",
              revision: 3,
              attempt: 1,
              at: AT,
              trigger: {},
            },
          }
        : {}),
    }),
  );
