import { describe, expect, it } from "@jest/globals";
import { evaluateRows, statesOf, type RowEvaluation } from "../../decision/matrix.ts";
import type { Reading, Sample } from "../../decision/sample.ts";
import { observeHealth, SEEING, type SignalHealth } from "../../decision/signal-health.ts";
import { overall } from "../../decision/sample.ts";
import { tidingsOf, type Outcome } from "./news.ts";

const STEP = 15_000;
const ROW = {
  name: "critical",
  signal: "errors",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 2 * STEP,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 0,
} as const;

const value = (number: number): Sample => ({ kind: "Value", value: number });
const error = (detail: string): Sample => ({ kind: "Error", detail });
const split = (parts: Readonly<Record<string, Sample>>): Reading => ({
  kind: "Split",
  parts: new Map(Object.entries(parts)),
});

/** What is told of each reading, one evaluation after the other. */
function told(...readings: readonly Reading[]): readonly string[] {
  let outcome: Outcome = {
    lastTickAt: undefined,
    evaluations: [],
    readings: new Map(),
    health: new Map(),
    baking: undefined,
  };
  return readings.map((reading, index) => {
    const at = index * STEP;
    const now = new Map([["errors", reading]]);
    const evaluations: readonly RowEvaluation[] = evaluateRows(
      [ROW],
      now,
      statesOf(outcome.evaluations),
      at,
      STEP,
    );
    const health = new Map<string, SignalHealth>([
      ["errors", observeHealth(outcome.health.get("errors") ?? SEEING, overall(reading), 1)],
    ]);
    const after = { lastTickAt: at, evaluations, readings: now, health, baking: undefined };
    const tidings = tidingsOf(outcome, after);
    outcome = after;
    return tidings;
  });
}

describe("tidingsOf", () => {
  it("tells the first evaluation, and no other value that stays Ok", () => {
    expect(told(value(0), value(0.05), value(0.01), value(0))).toEqual(["News", "Quiet", "Quiet", "Quiet"]);
  });

  it("tells the begin and the end of a breach, and each instant at which the row fires", () => {
    const breach = value(0.5);
    expect(told(value(0), breach, breach, breach, value(0.6), value(0), value(0))).toEqual([
      "News",
      "News",
      "Quiet",
      "Fires",
      "Fires",
      "News",
      "Quiet",
    ]);
  });

  it("tells when a signal falls silent and comes back", () => {
    const silent: Sample = { kind: "NoData", detail: "no series" };
    expect(told(value(0), silent, silent, value(0))).toEqual(["News", "News", "Quiet", "News"]);
  });

  it("tells other words of a failure only once they stand in the condition", () => {
    const failures = Array.from({ length: 12 }, (_, index) => error(`try ${index}`));
    // The tenth one in a row makes the signal blind, and from then on its words are shown.
    expect(told(...failures)).toEqual([
      "News",
      ...Array.from({ length: 8 }, () => "Quiet"),
      "News",
      "News",
      "News",
    ]);
    expect(told(...Array.from({ length: 12 }, () => error("same"))).slice(9)).toEqual([
      "News",
      "Quiet",
      "Quiet",
    ]);
  });

  it("does not mind in which order parts come, nor that healthy ones come and go", () => {
    const ok = value(0);
    const bad = value(0.5);
    expect(
      told(
        split({ a: ok, b: bad, c: bad }),
        split({ c: bad, b: bad, a: ok }),
        split({ c: bad, d: ok, b: bad, a: ok }),
      ),
    ).toEqual(["News", "Quiet", "Fires"]);
    expect(told(split({ a: ok }), split({ b: ok, a: ok }), split({ b: ok, a: bad }))).toEqual([
      "News",
      "Quiet",
      "News",
    ]);
  });

  it("tells that a release has proven itself", () => {
    const release = { replicaSetUid: "rs", revision: 1 };
    const outcome = (baking: Outcome["baking"]): Outcome => ({
      lastTickAt: 0,
      evaluations: [],
      readings: new Map(),
      health: new Map(),
      baking,
    });
    const baking = outcome({ kind: "Baking", release, provenMs: 1 });
    const good = outcome({ kind: "KnownGood", release, at: 0 });
    expect([tidingsOf(baking, baking), tidingsOf(baking, good), tidingsOf(good, good)]).toEqual([
      "Quiet",
      "News",
      "Quiet",
    ]);
  });
});
