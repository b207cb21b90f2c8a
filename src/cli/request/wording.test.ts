import { describe, expect, it } from "@jest/globals";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import { PLAN, requestOf } from "../testing/requests.ts";
import { workloadOf } from "./wording.ts";

const [APP] = PLAN.steps;
const ROUTE: PlannedStep = {
  name: "traffic",
  digest: "77",
  action: "canary",
  object: "HTTPRoute/web",
  changes: [],
  warnings: [],
};
const NAMELESS = {
  steps: [{ name: "app", timeout: "5m", workload: { to: { strategy: "LastKnownGood" as const } } }],
};
const statusOf = (target: string, steps: readonly (PlannedStep | undefined)[]) => ({
  target,
  plan: { digest: "d", steps: steps.filter((step) => step !== undefined) },
});

describe("the workload of a request", () => {
  it("is that of its own step", () => {
    expect(workloadOf(requestOf(undefined))).toEqual({ kind: "Deployment", name: "web" });
  });

  it("is the policy's where the step names none, wherever it stands", () => {
    const request = requestOf(statusOf("HTTPRoute/web +1", [ROUTE, APP]), NAMELESS);
    expect(workloadOf(request)).toEqual({ kind: "Deployment", name: "web" });
  });

  it("is the target's before there is a plan, and nothing where that is none", () => {
    expect(workloadOf(requestOf({ target: "StatefulSet/db" }, NAMELESS))).toEqual({
      kind: "StatefulSet",
      name: "db",
    });
    expect(workloadOf(requestOf(statusOf("HTTPRoute/web", [ROUTE]), { steps: [] }))).toBeUndefined();
  });
});
