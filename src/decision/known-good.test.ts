import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { bake, lastKnownGood, startBaking, type Baking, type BakingInput } from "./known-good.ts";
import type { RowEvaluation } from "./matrix.ts";
import type { Release } from "./release.ts";
import type { Verdict } from "./sample.ts";
import { emptyWindow } from "./window.ts";

const STEP = 1000;
const RELEASE: Release = { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt: 0 };

function evaluation(verdict: Verdict): RowEvaluation {
  const row = {
    name: "row",
    signal: "s",
    unit: "ratio",
    comparison: "above",
    threshold: 1,
    forMs: 0,
    severity: "SEV1",
    action: "Notify",
    plan: "application",
    expiresAfterMs: 1_800_000,
  } as const;
  return {
    row,
    part: "",
    at: 0,
    sample: { kind: "Value", value: 0 },
    verdict,
    window: emptyWindow(),
    fires: false,
  };
}

function bakeAll(ticks: readonly (readonly Verdict[])[], extra: Partial<BakingInput> = {}): Baking {
  return ticks.reduce<Baking>(
    (state, verdicts, index) =>
      bake(state, {
        release: RELEASE,
        evaluations: verdicts.map(evaluation),
        at: index * STEP,
        complete: true,
        bakeMs: 4 * STEP,
        intervalMs: STEP,
        ...extra,
      }),
    startBaking(RELEASE),
  );
}

const ok: readonly Verdict[] = ["Ok", "Ok"];

describe("baking", () => {
  it.each([
    ["four proven seconds", [ok, ok, ok, ok, ok], "KnownGood"],
    ["three", [ok, ok, ok, ok], "Baking"],
    ["one row breaches once", [ok, ok, ok, ["Ok", "Breach"], ok], "Baking"],
    ["a gap pauses", [ok, ok, ok, ["Ok", "None"], ok, ok, ok], "KnownGood"],
    ["a gap is not proven time", [ok, ok, ok, ["Ok", "None"], ok, ok], "Baking"],
    ["one row never has a verdict", Array.from({ length: 50 }, () => ["Ok", "None"] as const), "Baking"],
    ["no rows", Array.from({ length: 50 }, () => []), "Baking"],
  ] as const)("%s", (_, ticks, kind) => {
    expect(bakeAll(ticks).kind).toBe(kind);
  });

  it("never while incomplete, and never for a template that was rolled back, until it is deployed again", () => {
    const ticks = Array.from({ length: 20 }, () => ok);
    expect(bakeAll(ticks, { complete: false }).kind).toBe("Baking");
    expect(bakeAll(ticks, { rolledBackAt: 5000 }).kind).toBe("Baking");
    expect(bakeAll(ticks, { rolledBackAt: 5000, release: { ...RELEASE, startedAt: 6000 } }).kind).toBe(
      "KnownGood",
    );
  });

  it("does not count the time of ticks that were missed", () => {
    const at = (ticks: readonly number[]) =>
      ticks.reduce<Baking>(
        (state, time) =>
          bake(state, {
            release: RELEASE,
            evaluations: ok.map(evaluation),
            at: time * STEP,
            complete: true,
            bakeMs: 4 * STEP,
            intervalMs: STEP,
          }),
        startBaking(RELEASE),
      );
    expect(at([0, 1, 3, 4, 5])).toMatchObject({ kind: "Baking", provenMs: 3 * STEP });
    expect(at([0, 1.4, 2, 3.2, 4]).kind).toBe("KnownGood");
  });

  it("starts again for a new release", () => {
    const state = bakeAll([ok, ok, ok, ok, ok]);
    const next = bake(state, {
      release: { ...RELEASE, revision: 9 },
      evaluations: ok.map(evaluation),
      at: 6000,
      complete: true,
      bakeMs: 4000,
      intervalMs: STEP,
    });
    expect(next).toMatchObject({ kind: "Baking", provenMs: 0, release: { revision: 9 } });
  });

  it("needs at least `bake` of ticks without any breach since the last one", () => {
    const tick = fc.array(fc.constantFrom<Verdict>("Ok", "Ok", "Ok", "Breach", "None"), {
      minLength: 1,
      maxLength: 2,
    });
    fc.assert(
      fc.property(fc.array(tick, { maxLength: 40 }), (ticks) => {
        let proven = 0;
        let reached = false;
        for (const [index, verdicts] of ticks.entries()) {
          const previous = ticks[index - 1];
          if (verdicts.includes("Breach")) {
            proven = 0;
          } else if (!verdicts.includes("None") && previous?.every((item) => item === "Ok") === true) {
            proven += STEP;
          }
          reached ||= proven >= 4 * STEP;
        }
        expect(bakeAll(ticks).kind).toBe(reached ? "KnownGood" : "Baking");
      }),
    );
  });
});

describe("lastKnownGood", () => {
  const revision = (number: number, hash = `h${number}`) => ({
    revision: number,
    replicaSetUid: `rs-${number}`,
    podTemplateHash: hash,
  });
  const all = new Set(["rs-5", "rs-6", "rs-7", "rs-8"]);
  it("is the newest other revision that exists and is not marked", () => {
    const good = [revision(6), revision(7), revision(5), revision(8)];
    expect(lastKnownGood(RELEASE, good, all, new Set())?.revision).toBe(7);
    expect(lastKnownGood(RELEASE, good, all, new Set(["rs-7"]))?.revision).toBe(6);
    expect(lastKnownGood(RELEASE, good, new Set(["rs-5"]), new Set())?.revision).toBe(5);
    expect(lastKnownGood(RELEASE, [revision(8)], all, new Set())).toBeUndefined();
    expect(lastKnownGood(RELEASE, [revision(7, "h8")], all, new Set())).toBeUndefined();
  });
});
