import { describe, expect, it } from "@jest/globals";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { emptyLedger } from "../ledger/ledger.ts";
import { mapTarget } from "../snapshots/map-target.ts";
import { changedAt } from "./configuration.ts";

const AT = "2026-11-22T10:00:00.000Z";
const OLD = { digest: "a", since: "2026-11-22T09:00:00.000Z" };
const NEW = { digest: "b", since: AT };

function ledger(change: Partial<RollbackLedgerSpec>): RollbackLedgerSpec {
  return { ...emptyLedger(mapTarget("shop", "settings")), ...change };
}

function executed(at: string) {
  return [{ name: "r", uid: "u", specDigest: "d", at, outcome: "Succeeded" as const }];
}

describe("when a configuration changed", () => {
  it.each<[string, Partial<RollbackLedgerSpec>, number | undefined]>([
    ["another content was seen", { contents: [OLD, NEW] }, Date.parse(AT)],
    ["it was seen for the first time", { contents: [NEW] }, undefined],
    ["nothing was seen", {}, undefined],
    ["the content is known good", { contents: [OLD, { ...NEW, knownGood: AT }] }, undefined],
    ["a request put it there", { contents: [OLD, { ...NEW, productOf: "undo" }] }, undefined],
    ["a request set a flag", { contents: [OLD, NEW], executed: executed("2026-11-22T09:59:58Z") }, undefined],
    ["a request acted long ago", { contents: [OLD, NEW], executed: executed(OLD.since) }, Date.parse(AT)],
  ])("%s", (_, change, at) => {
    expect(changedAt(ledger(change))).toBe(at);
  });
});
