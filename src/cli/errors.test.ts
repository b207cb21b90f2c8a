import { describe, expect, it } from "@jest/globals";
import { KubeError, type KubeErrorFacts } from "../kube/errors.ts";
import { explain } from "./errors.ts";

function failure(facts: Partial<KubeErrorFacts>): KubeError {
  return new KubeError({
    code: 0,
    reason: "Any",
    verb: "create",
    target: "rollbackrequests.rollback.llm-research-lab.io shop/undo",
    path: "/apis",
    detail: "words of the server",
    retryable: false,
    outcomeUnknown: false,
    ...facts,
  });
}

const SERVER = "https://10.0.0.1:6443";

describe("explain", () => {
  it("turns a refusal by RBAC into the rule that is missing", () => {
    const detail =
      'rollbackrequests.rollback.llm-research-lab.io is forbidden: User "alice" cannot create resource "rollbackrequests" in API group "rollback.llm-research-lab.io" in the namespace "shop"';
    expect(explain(failure({ code: 403, reason: "Forbidden", detail }), SERVER)).toBe(
      'alice may not create rollbackrequests in namespace shop: ask an admin for the rule {apiGroups: ["rollback.llm-research-lab.io"], resources: [rollbackrequests], verbs: [create]}, or check all rights with "kubectl-rollback doctor"',
    );
  });

  it("leaves an admission policy its own words", () => {
    expect(explain(failure({ code: 403, reason: "Forbidden", detail: "no undo on Fridays" }), SERVER)).toBe(
      "no undo on Fridays",
    );
  });

  it.each([
    [
      { code: 404, reason: "ApiNotServed" },
      'does not know rollbackrequests.rollback.llm-research-lab.io: its CRD is not installed (an admin runs "kubectl apply -f deploy/crds")',
    ],
    [
      { code: 401, reason: "Unauthorized" },
      `the API server ${SERVER} does not accept your credentials: log in again`,
    ],
    [
      { reason: "ConnectionFailed" },
      `the API server ${SERVER} does not answer (words of the server): check the server and the context`,
    ],
    [{ reason: "CredentialsFailed" }, "check the user of your kubeconfig's context"],
    [
      { code: 404, reason: "NotFound" },
      "rollbackrequests.rollback.llm-research-lab.io shop/undo does not exist",
    ],
    [
      { code: 500, reason: "InternalError", outcomeUnknown: true },
      "words of the server; it may have taken effect all the same",
    ],
  ])("says of %j what to do", (facts, words) => {
    expect(explain(failure(facts), SERVER)).toContain(words);
  });

  it("shows no stack of anything else", () => {
    expect(explain(new TypeError("x is not y"), "")).toBe("x is not y");
  });
});
