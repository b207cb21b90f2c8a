import { describe, expect, it } from "@jest/globals";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { heldNow } from "./guards.ts";

const SINCE = "2026-01-01T10:00:00Z";

function policy(breached: "True" | "False", verdict: "Held" | "Propose", at: string): RollbackPolicy {
  const condition = {
    type: "Breached",
    status: breached,
    reason: "R",
    message: "",
    lastTransitionTime: SINCE,
  };
  const lastDecision = { row: "errors", verdict, reason: "held, Unattributed: began before revision 7", at };
  return {
    metadata: { name: "api" },
    status: { conditions: [condition], lastDecision },
  } as unknown as RollbackPolicy;
}

describe("what the policy holds", () => {
  it("is told while its breach goes on", () => {
    expect(heldNow(policy("True", "Held", "2026-01-01T09:59:59.500Z"))).toBe(
      "RollbackPolicy api holds an automatic rollback: held, Unattributed: began before revision 7",
    );
  });

  it.each([
    ["the breach is over", policy("False", "Held", "2026-01-01T10:00:05Z")],
    ["the decision is about an earlier breach", policy("True", "Held", "2026-01-01T08:00:00Z")],
    ["nothing is held", policy("True", "Propose", "2026-01-01T10:00:05Z")],
    ["nothing was decided yet", { metadata: policy("True", "Held", SINCE).metadata }],
  ])("is not told when %s", (_, of) => {
    expect(heldNow(of)).toBeUndefined();
  });
});
