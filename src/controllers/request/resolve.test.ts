import { describe, expect, it } from "@jest/globals";
import { digestOf } from "../../actions/digest.ts";
import { RollbackPolicySpec } from "../../crds/rollback-policy.ts";
import type { RequestStep } from "../../crds/steps.ts";
import type { RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import { resolve, type Resolution, type Resolved } from "./resolve.ts";
import { ACTIONS, situationOf, requestOf } from "./testing/situations.ts";
import { acceptedFacts } from "./status.ts";

function policyOf(change: Readonly<Record<string, unknown>> = {}): RollbackPolicy {
  const ratio = (name: string) => ({
    name,
    prometheus: { ratio: { bad: "bad", total: "total", window: "1m" } },
  });
  const row = (name: string, above: string) => ({
    name,
    when: { signal: "errors", above },
    action: "Rollback",
  });
  return {
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: {
      name: "api",
      namespace: "shop",
      uid: "policy-uid",
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: RollbackPolicySpec.parse({
      target: { kind: "Deployment", name: "api" },
      serviceAccountName: "policy-executor",
      signals: [ratio("errors"), ratio("latency")],
      matrix: [row("high", "0.10"), row("elevated", "0.05")],
      ...change,
    }),
  };
}

/** Of a policy, with nothing in the request but its name. */
const byPolicy: RollbackRequest = (() => {
  const { spec, ...rest } = requestOf({ spec: { policyRef: { name: "api" } } });
  const { steps: _, ...others } = spec;
  return { ...rest, spec: others };
})();

function resolved(request: RollbackRequest, policy?: RollbackPolicy, defaultExecutor = "default"): Resolved {
  const resolution = resolve({ request, policy, defaultExecutor, actions: ACTIONS });
  if (resolution.kind === "Refused") throw new Error(resolution.message);
  return resolution;
}

/** The request after its acceptance with this policy. */
function accepted(request: RollbackRequest, policy: RollbackPolicy): RollbackRequest {
  const situation = situationOf(request, { resolution: resolved(request, policy) });
  return { ...request, status: { ...acceptedFacts(situation, 0) } };
}

describe("what a request means", () => {
  it("is known again by what its spec said before it could wait for an approval, or undo its steps", () => {
    const { approval: _a, expiresAfter: _e, onFailure: _f, ...before } = requestOf().spec;
    const digests = [
      {},
      { approval: "Required" as const },
      { expiresAfter: "1h" },
      { onFailure: "Compensate" as const },
    ].map((spec) => resolved(requestOf({ spec })).specDigest);

    expect(digests[0]).toBe(digestOf(before));
    expect(new Set(digests).size).toBe(4);
  });

  describe("by a plan of its policy", () => {
    const step = (name: string, replicas: number) => ({
      name,
      timeout: "5m",
      scale: { kind: "Deployment", name, replicas },
    });
    const plans = [
      { name: "whole", steps: [step("one", 0), { name: "app", workload: {} }] },
      { name: "partial", steps: [step("two", 0)] },
    ];
    const objects = (resolution: Resolved) => resolution.steps.map(({ action }) => action.object);
    const named = (plan: string) => ({ ...byPolicy, spec: { ...byPolicy.spec, plan } });

    it("is that plan, the first one where none is named", () => {
      expect(objects(resolved(byPolicy, policyOf({ plans })))).toEqual(["Deployment/one", "Deployment/api"]);
      expect(objects(resolved(named("partial"), policyOf({ plans })))).toEqual(["Deployment/two"]);
      expect(objects(resolved(named("application"), policyOf()))).toEqual(["Deployment/api"]);
    });

    it("is refused when there is none of that name", () => {
      expect(
        resolve({
          request: named("none"),
          policy: policyOf({ plans }),
          defaultExecutor: undefined,
          actions: ACTIONS,
        }),
      ).toEqual({
        kind: "Refused",
        reason: "PlanNotFound",
        message: "RollbackPolicy api has no plan none, only whole, partial: name one of these",
      });
    });

    it("stays what it was at acceptance, also when the plan or the policy is gone", () => {
      const request = accepted(named("partial"), policyOf({ plans }));

      expect(
        objects(resolved(request, policyOf({ plans: [{ name: "other", steps: [step("three", 1)] }] }))),
      ).toEqual(["Deployment/two"]);
      expect(objects(resolved(request))).toEqual(["Deployment/two"]);
      expect(request.status?.resolved?.steps).toHaveLength(1);
    });
  });

  it("is filled in by its policy", () => {
    expect(resolved(byPolicy, policyOf())).toMatchObject({
      serviceAccountName: "policy-executor",
      steps: [{ action: { name: "application", kind: "workload", object: "Deployment/api" } }],
      target: { group: "apps", kind: "Deployment", namespace: "shop", name: "api" },
      policyUid: "policy-uid",
    });
  });

  it("checks pods, version and every signal of a row, by its strictest row", () => {
    const { verification, signals } = resolved(byPolicy, policyOf());

    expect(verification.checks).toEqual([
      { name: "pods", pods: { ready: "All" } },
      { name: "version", version: {} },
      { name: "errors", signal: { name: "errors", below: "0.05" } },
    ]);
    expect(signals.map(({ name }) => name)).toEqual(["errors"]);
  });

  it("asks the request first for its executor, then the policy, then the admin; none is refused", () => {
    const own = requestOf({ spec: { policyRef: { name: "api" }, serviceAccountName: "own" } });

    expect(resolved(own, policyOf()).serviceAccountName).toBe("own");
    expect(resolved(byPolicy, policyOf({ serviceAccountName: undefined })).serviceAccountName).toBe(
      "default",
    );
    expect(
      resolve({ request: requestOf(), policy: undefined, defaultExecutor: undefined, actions: ACTIONS }),
    ).toMatchObject({
      kind: "Refused",
      reason: "ExecutorNotSet",
    });
  });

  it("is refused without the policy that it names, until it was accepted", () => {
    const refused = resolve({
      request: byPolicy,
      policy: undefined,
      defaultExecutor: "default",
      actions: ACTIONS,
    });
    expect(refused).toMatchObject({ kind: "Refused", reason: "PolicyNotFound" });

    const later = resolved(accepted(byPolicy, policyOf()), undefined);
    expect(later).toMatchObject({ serviceAccountName: "policy-executor", target: { name: "api" } });
  });

  it("does not change with its policy once it was accepted", () => {
    const request = accepted(byPolicy, policyOf());
    const before = resolved(request, policyOf());
    const edited = policyOf({
      target: { kind: "Deployment", name: "another" },
      serviceAccountName: "another",
      matrix: [{ name: "new", when: { signal: "latency", above: "1" }, action: "Rollback" }],
      verification: { settle: "9s", soak: "9s", interval: "9s" },
    });

    expect(JSON.stringify(resolved(request, edited))).toEqual(JSON.stringify(before));
  });

  describe("of several steps", () => {
    const web = { kind: "Deployment", name: "web" } as const;
    const workload = { workload: { ...web, to: { strategy: "Previous" } } } as const;
    const restart = { restart: web };
    const scale = { scale: { ...web, replicas: 0 } };
    const other = { restart: { ...web, name: "other" } };
    const of = (...steps: readonly Omit<RequestStep, "name" | "timeout">[]) =>
      resolve({
        request: requestOf({
          spec: { steps: steps.map((step, index) => ({ name: `s${index}`, timeout: "5m", ...step })) },
        }),
        policy: undefined,
        defaultExecutor: "d",
        actions: ACTIONS,
      });

    const canary = {
      canary: {
        virtualService: "web",
        canary: { host: "web-canary" },
        stable: { host: "web" },
        drain: "30s",
        scaleDown: web,
      },
    };
    it.each([
      ["scale what another takes away", [scale, canary], "steps s1 and s0 both write Deployment/web"],
      ["roll the same workload back twice", [workload, scale, workload], "steps s0 and s2 both roll"],
      ["restart what is then rolled back", [restart, workload], "put step s1 before step s0"],
    ])("refuses steps that %s", (_, steps, message) => {
      expect(of(...steps)).toMatchObject({
        kind: "Refused",
        reason: "InvalidSteps",
        message: expect.stringContaining(message),
      });
    });

    it("takes steps on one workload whose order makes sense", () => {
      expect(of(scale, workload, restart, other, { scale: { ...web, replicas: 2 } })).toMatchObject({
        kind: "Resolved",
        steps: [
          { action: { kind: "scale" }, targets: [web] },
          { action: { kind: "workload" }, targets: [web] },
          { action: { kind: "restart" }, targets: [web] },
          { action: { kind: "restart" }, targets: [{ name: "other" }] },
          { action: { kind: "scale" }, targets: [web] },
        ],
      });
    });

    it("takes a canary's workload that is rolled back as well: its template and its number of pods are two things", () => {
      expect(of(canary, workload)).toMatchObject({ kind: "Resolved" });
    });

    it("looks for a version by itself only where a step makes one", () => {
      const checksOf = (resolution: Resolution) =>
        resolution.kind === "Resolved" ? resolution.verification.checks.map(({ name }) => name) : [];

      expect(checksOf(of(scale))).toEqual([]);
      expect(checksOf(of(scale, restart))).toEqual(["pods", "version"]);
    });
  });

  describe("is refused before anything is done when a check could never give a verdict:", () => {
    const checking = (signal: { readonly name: string; readonly below?: string }, withPolicy = true) =>
      requestOf({
        spec: {
          ...(withPolicy ? { policyRef: { name: "api" } } : {}),
          verification: { settle: "1s", soak: "9s", interval: "3s", checks: [{ name: "c", signal }] },
        },
      });
    const refusal = (request: RollbackRequest, policy?: RollbackPolicy) =>
      resolve({ request, policy, defaultExecutor: "default", actions: ACTIONS });

    it.each([
      ["no policy", checking({ name: "errors" }, false), undefined, "check c needs policyRef"],
      [
        "no such signal",
        checking({ name: "error-rate", below: "1" }),
        policyOf(),
        "check c: RollbackPolicy api has no signal error-rate, only errors, latency",
      ],
      ["no bound", checking({ name: "latency" }), policyOf(), "check c: set above or below"],
    ] as const)("%s", (_, request, policy, message) => {
      expect(refusal(request, policy)).toMatchObject({
        kind: "Refused",
        reason: "CannotEvaluate",
        message: expect.stringContaining(message),
      });
    });

    it("not once it was accepted: the policy may have changed since", () => {
      const request = accepted(checking({ name: "errors" }), policyOf());
      const edited = policyOf({ signals: [policyOf().spec.signals[1]] });

      expect(resolve({ request, policy: edited, defaultExecutor: "default", actions: ACTIONS }).kind).toBe(
        "Resolved",
      );
      expect(resolve({ request, policy: undefined, defaultExecutor: "default", actions: ACTIONS }).kind).toBe(
        "Resolved",
      );
    });
  });
});
