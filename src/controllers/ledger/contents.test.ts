import { describe, expect, it } from "@jest/globals";
import type { LedgerContent } from "../../crds/rollback-ledger.ts";
import {
  forgetContents,
  recordContent,
  recordContentGood,
  recordContentRollback,
  surplusContents,
} from "./contents.ts";
import { emptyLedger } from "./ledger.ts";

const EMPTY = emptyLedger({ group: "", kind: "ConfigMap", namespace: "shop", name: "settings" });
const AT = "2026-11-22T10:00:00.000Z";
const entry = (digest: string, more: Partial<LedgerContent> = {}): LedgerContent => ({
  digest,
  since: AT,
  ...more,
});
const holding = (...contents: LedgerContent[]) => ({ ...EMPTY, contents });

describe("the contents of a ConfigMap in its ledger", () => {
  it("are kept in the order in which they were seen, at most 50", () => {
    const one = recordContent(EMPTY, entry("a"));
    expect(recordContent(one, entry("a", { since: "later" }))).toBe(one);
    expect(
      recordContent(recordContent(one, entry("b")), entry("a")).contents?.map(({ digest }) => digest),
    ).toEqual(["a", "b", "a"]);
    let many = EMPTY;
    for (let index = 0; index < 60; index += 1) many = recordContent(many, entry(`${index}`));
    expect([many.contents?.length, many.contents?.at(-1)?.digest]).toEqual([50, "59"]);
  });

  it("tell what a request put back and what it took away, once", () => {
    const rollback = { from: "b", to: "a", at: AT, request: "undo" };
    const after = recordContentRollback(holding(entry("a"), entry("b")), rollback);

    expect(after.contents).toEqual([
      entry("a"),
      entry("b", { rolledBackBy: "undo" }),
      entry("a", { productOf: "undo" }),
    ]);
    expect(recordContentRollback(after, rollback)).toBe(after);
    // Nobody saw it before.
    expect(recordContentRollback(EMPTY, rollback).contents).toEqual(after.contents?.slice(1));
  });

  it("are not marked by the way back", () => {
    const after = recordContentRollback(holding(entry("a"), entry("b")), {
      from: "b",
      to: "a",
      at: AT,
      request: "undo",
    });
    const back = recordContentRollback(after, { from: "a", to: "b", at: AT, request: "redo" });

    expect(back.contents?.filter(({ rolledBackBy }) => rolledBackBy !== undefined)).toEqual([
      entry("b", { rolledBackBy: "undo" }),
    ]);
  });

  it("become known good while they are live, which clears marks", () => {
    const ledger = holding(entry("a", { rolledBackBy: "x" }), entry("b"), entry("a"));
    expect(recordContentGood(ledger, "b", AT)).toBe(ledger);
    const good = recordContentGood(ledger, "a", AT);
    expect(good.contents).toEqual([entry("a"), entry("b"), entry("a", { knownGood: AT })]);
    expect(recordContentGood(good, "a", "later")).toBe(good);
  });

  it("are too many beyond a number, but not those that are needed", () => {
    const contents = [entry("good", { knownGood: AT }), entry("old"), entry("used"), entry("c"), entry("d")];
    expect(surplusContents(contents, 2, new Set(["used"]))).toEqual(["old"]);
    expect(surplusContents(contents, 5, new Set())).toEqual([]);
    expect(
      forgetContents(holding(...contents), new Set(["old", "d"])).contents?.map(({ digest }) => digest),
    ).toEqual(["good", "used", "c", "d"]);
    // Its newest life counts.
    expect(surplusContents([entry("a"), entry("b"), entry("a")], 1, new Set())).toEqual(["b"]);
  });
});
