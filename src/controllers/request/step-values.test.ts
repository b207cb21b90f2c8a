import { describe, expect, it } from "@jest/globals";
import { RequestStep } from "../../crds/steps.ts";
import { withoutStepValues, withStepValues } from "./step-values.ts";

const PLAN = [
  RequestStep.parse({
    name: "flag",
    featureFlag: { configMap: { name: "web", key: "NEW", value: "planted" } },
  }),
  RequestStep.parse({
    name: "map",
    configMap: { name: "api", to: { values: { A: "planted", B: "other" } } },
  }),
  RequestStep.parse({ name: "app", workload: {} }),
];

describe("steps in a status", () => {
  it("hold no value, and get them back from the same plan", () => {
    const stored = withoutStepValues(PLAN);

    expect(JSON.stringify(stored)).not.toMatch(/planted|other/);
    expect(RequestStep.array().parse(stored)).toEqual(stored);
    expect(withStepValues(stored, PLAN)).toEqual(PLAN);
    expect(stored[0]?.featureFlag?.configMap.value).not.toBe(stored[1]?.configMap?.to.values?.["A"]);
  });

  it("have none where the plan is another one now, or gone", () => {
    const stored = withoutStepValues(PLAN);
    const edited = [
      RequestStep.parse({
        name: "flag",
        featureFlag: { configMap: { name: "web", key: "NEW", value: "x" } },
      }),
      RequestStep.parse({ name: "map", configMap: { name: "api", to: { values: { A: "planted" } } } }),
    ];
    for (const current of [edited, []]) {
      const [flag, map, app] = withStepValues(stored, current);

      expect(flag?.featureFlag?.configMap).toEqual({ name: "web", key: "NEW", value: undefined });
      expect(map?.configMap).toEqual({ name: "api", to: {}, restart: "Always" });
      expect(app).toEqual(PLAN[2]);
    }
  });
});
