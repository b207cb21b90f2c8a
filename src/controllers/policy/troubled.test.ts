import { describe, expect, it } from "@jest/globals";
import { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { troubledSpans } from "./troubled.ts";

const minute = (n: number): string => new Date(Date.UTC(2026, 10, 22, 14, n)).toISOString();

function ledger(marked: readonly string[], starts: readonly (string | undefined)[]) {
  return RollbackLedgerSpec.parse({
    target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
    releases: starts.map((startedAt, i) => ({
      targetUid: "uid",
      replicaSetUid: `rs-${i}`,
      podTemplateHash: `hash${i}`,
      revision: i,
      startedAt,
    })),
    marks: marked.map((replicaSetUid) => ({
      replicaSetUid,
      podTemplateHash: "hash",
      revision: 1,
      at: minute(9),
      request: "web-rollback",
      reason: "errors",
    })),
  });
}

describe("troubledSpans", () => {
  it.each([
    ["no ledger", undefined, []],
    ["nothing was rolled back", ledger([], [minute(1), minute(5)]), []],
    [
      "until the rollback made the next release",
      ledger(["rs-1"], [minute(1), minute(3), minute(5)]),
      [{ from: Date.parse(minute(3)), to: Date.parse(minute(5)) }],
    ],
    ["the live one: its time is not over", ledger(["rs-1"], [minute(1), minute(3)]), []],
    ["a start that nobody saw", ledger(["rs-1"], [minute(1), undefined, minute(5)]), []],
  ] as const)("%s", (_, given, spans) => {
    expect(troubledSpans(given)).toEqual(spans);
  });
});
