import { describe, expect, it } from "@jest/globals";
import { fail, noVerdict, pass, type CheckSample } from "../../checks/check.ts";
import { SoakRuns } from "../../checks/soak-runs.ts";
import { CheckStep } from "../../crds/verification.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { PlanContext, Progress } from "../action.ts";
import { checkAction } from "./index.ts";

const SPEC = CheckStep.parse({
  soak: "4s",
  interval: "2s",
  checks: [
    { name: "pods", pods: { ready: "All" } },
    { name: "version", version: {} },
  ],
});
const planning = { executorName: "rollback-executor" } as PlanContext;

/** How the step stands every second, when `sample` is what is seen. */
async function soaked(
  sample: (check: string, now: number) => CheckSample,
  seconds = 12,
): Promise<Progress[]> {
  const runs = new SoakRuns({
    requiredRights: () => [],
    windowMs: () => 0,
    sample: async ({ name }, { now }) => sample(name, now),
  });
  const action = checkAction(runs, SPEC);
  const planned = await action.plan("gate", SPEC, planning);
  if (planned.kind !== "Planned") throw new Error(planned.message);
  const seen: Progress[] = [];
  for (let now = 0; now <= seconds * 1_000; now += 1_000) {
    seen.push(
      await action.observe(planned.plan, {
        executor: {} as KubeClient,
        namespace: "shop",
        signal: new AbortController().signal,
        now,
        appliedAt: 0,
        soak: { key: "uid/gate", restored: [], signals: [] },
      }),
    );
  }
  return seen;
}

describe("a check between two steps", () => {
  it("lets the request go on when every check has passed over its soak, and not before", async () => {
    const seen = await soaked(() => pass("good"));

    expect(seen[0]).toMatchObject({
      kind: "InProgress",
      message: "checking until 00:00:04 UTC: pods, version",
    });
    expect(seen[3]?.kind).toBe("InProgress");
    expect(seen.at(-1)).toEqual({ kind: "Done", message: "pods good, version good" });
  });

  it("ends it at the first failure", async () => {
    const seen = await soaked((name, now) =>
      name === "pods" && now >= 2_000 ? fail("1/2 ready") : pass("good"),
    );

    expect(seen[1]?.kind).toBe("InProgress");
    expect(seen[2]).toEqual({ kind: "Failed", reason: "CheckFailed", message: "pods 1/2 ready" });
  });

  it("ends it when data is missing to the end", async () => {
    const seen = await soaked((name) => (name === "pods" ? noVerdict("no answer") : pass("good")));

    expect(seen.at(-1)).toEqual({
      kind: "Failed",
      reason: "CheckInconclusive",
      message: "data was missing: pods no answer",
    });
  });

  it("is another plan when it checks something else", async () => {
    const runs = new SoakRuns({ requiredRights: () => [], windowMs: () => 0, sample: async () => pass("") });
    const digests = await Promise.all(
      [SPEC, { ...SPEC, soak: "5s" }].map(async (spec) => {
        const planned = await checkAction(runs, spec).plan("gate", spec, planning);
        return planned.kind === "Planned" ? planned.plan.digest : "";
      }),
    );

    expect(new Set(digests).size).toBe(2);
  });
});
