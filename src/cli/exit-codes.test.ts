import { describe, expect, it } from "@jest/globals";
import type { RollbackRequestStatus } from "../crds/rollback-request.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { conditionOf, requestOf } from "./testing/requests.ts";

function ended(
  phase: RollbackRequestStatus["phase"],
  reason: string,
  verified: "True" | "False" | "Unknown",
) {
  const conditions = [
    conditionOf("Ready", phase === "Succeeded" ? "True" : "False", reason),
    conditionOf("Verified", verified, "AnyReason"),
  ];
  return requestOf({ ...(phase === undefined ? {} : { phase }), conditions });
}

describe("exitCodeOf", () => {
  it.each([
    ["Succeeded", "RolledBack", "True", EXIT.Ok],
    ["Succeeded", "RolledBack", "Unknown", EXIT.NotVerified],
    ["Succeeded", "NothingToDo", "Unknown", EXIT.Ok],
    ["Succeeded", "DryRun", "Unknown", EXIT.Ok],
    ["Succeeded", "AlreadyExecuted", "Unknown", EXIT.NotVerified],
    ["Failed", "AccessDenied", "Unknown", EXIT.Failed],
    ["Failed", "VerificationFailed", "False", EXIT.Failed],
    ["Compensated", "Compensated", "Unknown", EXIT.Failed],
    ["Superseded", "Superseded", "Unknown", EXIT.Failed],
    ["Aborted", "Aborted", "Unknown", EXIT.Failed],
    ["Applying", "Applying", "Unknown", EXIT.Ok],
  ] as const)("%s, %s, Verified %s: %d", (phase, reason, verified, code) => {
    expect(exitCodeOf(ended(phase, reason, verified))).toBe(code);
  });

  it("is Ok for what nobody has looked at", () => {
    expect(exitCodeOf(requestOf(undefined))).toBe(EXIT.Ok);
  });
});
