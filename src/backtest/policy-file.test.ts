import { describe, expect, it } from "@jest/globals";
import { parsePolicy } from "./policy-file.ts";

const POLICY = `
apiVersion: rollback.llm-research-lab.io/v1alpha1
kind: RollbackPolicy
metadata: { name: api, namespace: shop }
spec:
  target: { kind: Deployment, name: api }
  signals:
    - name: error-rate
      prometheus:
        ratio: { bad: 'requests_total{status=~"5.."}', total: requests_total, window: 1m }
        match: { app: api }
`;

describe("policy file", () => {
  it("gets the defaults that the API server would set", () => {
    const { metadata, spec } = parsePolicy(POLICY, "policy.yaml", undefined);
    expect(metadata).toMatchObject({ name: "api", namespace: "shop" });
    expect(spec).toMatchObject({ interval: "15s", bake: "10m", mode: "Enforce" });
    expect(spec.signals[0]?.prometheus?.minimumRequests).toBe(50);
  });

  it("may lie beside other objects", () => {
    const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: rollback-executor }\n---\n";
    expect(parsePolicy(account + POLICY, "policy.yaml", undefined).metadata.name).toBe("api");
  });

  it("takes its namespace from --namespace where the file names none", () => {
    const nowhere = POLICY.replace(", namespace: shop", "");
    expect(parsePolicy(nowhere, "policy.yaml", "other").metadata.namespace).toBe("other");
    expect(() => parsePolicy(nowhere, "policy.yaml", undefined)).toThrow(
      "policy.yaml has no metadata.namespace: set it, or give --namespace",
    );
    expect(() => parsePolicy(POLICY, "policy.yaml", "other")).toThrow("is of namespace shop, not of other");
  });

  it.each([
    ["no YAML", "a: [", "policy.yaml is no YAML"],
    ["another kind", "kind: Deployment", "policy.yaml holds no RollbackPolicy"],
    ["two policies", `${POLICY}---${POLICY}`, "policy.yaml holds 2 RollbackPolicies"],
    [
      "a misspelt field",
      POLICY.replace("signals:", "mod: Observe\n  signals:"),
      "spec.mod: is no field of this kind",
    ],
    [
      "a misspelt field deep inside",
      POLICY.replace("window: 1m", "window: 1m, windw: 2m"),
      "spec.signals[0].prometheus.ratio.windw: is no field of this kind",
    ],
    ["a wrong value", POLICY.replace("1m }", "1 minute }"), "spec.signals[0].prometheus.ratio.window: "],
    [
      "another version",
      POLICY.replace("v1alpha1", "v2"),
      "apiVersion: must be rollback.llm-research-lab.io/v1alpha1",
    ],
    ["no spec", POLICY.slice(0, POLICY.indexOf("spec:")), "spec.target: "],
  ])("says what is wrong: %s", (_, text, message) => {
    expect(() => parsePolicy(text, "policy.yaml", undefined)).toThrow(message);
  });
});
