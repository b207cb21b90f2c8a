import { describe, expect, it } from "@jest/globals";
import type { Canary } from "../../../kube/flagger-types.ts";
import type { Deployment } from "../../../kube/well-known.ts";
import { deploymentOf } from "../../../workloads/testing/history.ts";
import { judgeCanary } from "./judge.ts";
import { judgePromotion } from "./promotion.ts";

const APPLIED_AT = Date.parse("2026-01-02T00:00:00Z");

function canary(status: Canary["status"], spec: Canary["spec"] = {}): Canary {
  return {
    apiVersion: "flagger.app/v1beta1",
    kind: "Canary",
    metadata: { name: "web", namespace: "shop", uid: "c", resourceVersion: "1", creationTimestamp: "" },
    spec,
    ...(status === undefined ? {} : { status }),
  };
}

describe("a Canary, asked before its target is put back", () => {
  it.each([
    ["at rest", canary({ phase: "Succeeded" }), /analyses the restored version before/],
    ["that skips", canary({ phase: "Failed" }, { skipAnalysis: true }), /skips its analysis/],
    ["in an analysis", canary({ phase: "Progressing" }), /goes on with the restored version/],
  ])("%s: passes, and the plan says what comes", (_, object, warning) => {
    expect(judgeCanary("Deployment/web", object)).toMatchObject({
      kind: "Passed",
      promotedBy: "Canary/web",
      warnings: [expect.stringMatching(warning)],
    });
  });

  it.each([
    ["suspended", canary({ phase: "Succeeded" }, { suspend: true }), { kind: "Refused", reason: "Paused" }],
    ["never looked at", canary(undefined), { kind: "Refused", reason: "TargetOwned" }],
    ["half-way", canary({ phase: "Promoting" }), { kind: "Pending" }],
    ["not initialized", canary({ phase: "Initializing" }), { kind: "Pending" }],
  ])("%s: does not pass", (_, object, expected) => {
    expect(judgeCanary("Deployment/web", object)).toMatchObject(expected);
  });
});

describe("a restored template of a target", () => {
  const env = (name: string) => [
    { name: "A", valueFrom: { configMapKeyRef: { name, key: "a" } } },
    { name: "B", value: "b" },
  ];
  function deployment(image: string, map: string, ready = 2): Deployment {
    const made = deploymentOf([{ revision: 1, image }]);
    const spec = { containers: [{ name: "app", image, env: env(map) }] };
    return {
      ...made,
      metadata: { ...made.metadata, name: map === "conf" ? "web" : "web-primary" },
      spec: { ...made.spec, template: { ...made.spec.template, spec } },
      status: { ...made.status, availableReplicas: ready },
    };
  }
  const target = deployment("web:v1", "conf");
  const judge = (status: Canary["status"], primary: Deployment) =>
    judgePromotion(canary(status), primary, target, APPLIED_AT);

  it("is done when the copy has it, under the names that Flagger gives, and Flagger is at rest", () => {
    expect(judge({ phase: "Succeeded" }, deployment("web:v1", "conf-primary")).kind).toBe("Done");
  });

  it.each([
    ["the copy runs another version", { phase: "Succeeded" }, deployment("web:v2", "conf-primary")],
    ["the copy reads another ConfigMap", { phase: "Succeeded" }, deployment("web:v1", "other")],
    ["pods of the copy are missing", { phase: "Succeeded" }, deployment("web:v1", "conf-primary", 1)],
    ["Flagger is not at rest", { phase: "Progressing" }, deployment("web:v1", "conf-primary")],
    [
      "an analysis before it failed",
      { phase: "Failed", lastTransitionTime: "2026-01-01T23:59:59Z" },
      deployment("web:v2", "conf-primary"),
    ],
  ])("is on its way while %s", (_, status, primary) => {
    expect(judge(status, primary).kind).toBe("InProgress");
  });

  it("has failed when its own analysis has", () => {
    const conditions = [{ type: "Promoted", status: "False", message: "Canary analysis failed" }];
    const status = { phase: "Failed", lastTransitionTime: "2026-01-02T00:01:00Z", conditions };
    expect(judge(status, deployment("web:v2", "conf-primary"))).toEqual({
      kind: "Failed",
      message: expect.stringMatching(/web-primary keeps the version that it had: Canary analysis failed/),
    });
  });
});
