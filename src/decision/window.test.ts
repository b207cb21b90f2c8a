import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Row } from "./row.ts";
import { verdictOf } from "./row.ts";
import type { Sample, TimedSample, UnknownKind, Verdict } from "./sample.ts";
import { emptyWindow, fires, observe, phaseOf, replay, TOLERATED_GAP, type WindowState } from "./window.ts";

const STEP = 15_000;
const ROW: Row = {
  name: "critical",
  signal: "error-rate",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 60_000,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 1_800_000,
};

const kinds: readonly UnknownKind[] = [
  "NoData",
  "Stale",
  "NaN",
  "InsufficientTraffic",
  "Unproven",
  "Ambiguous",
  "Error",
];
const verdict = fc.constantFrom<Verdict>("Breach", "Ok", "None");
const verdicts = fc.array(fc.constantFrom<Verdict>("Breach", "Breach", "Breach", "Ok", "None"), {
  maxLength: 60,
});
const forSteps = fc.integer({ min: 0, max: 12 }).map((steps) => steps * STEP);

function run(list: readonly Verdict[], step = STEP): readonly WindowState[] {
  const states: WindowState[] = [];
  let state = emptyWindow();
  for (const [index, item] of list.entries()) {
    state = observe(state, index * step, item, step);
    states.push(state);
  }
  return states;
}

function firingInstants(list: readonly Verdict[], forMs: number): readonly number[] {
  return run(list).flatMap((state, index) => (fires(state, forMs) ? [index * STEP] : []));
}

/** The definition, read backwards from the last evaluation: no state, no reducer. */
function firesByDefinition(list: readonly Verdict[], forMs: number): boolean {
  const last = list.length - 1;
  if (list[last] !== "Breach") {
    return false;
  }
  let first = last;
  let gap = 0;
  for (let index = last - 1; index >= 0 && gap <= TOLERATED_GAP; index -= 1) {
    if (list[index] === "Ok") {
      break;
    }
    gap = list[index] === "None" ? gap + 1 : 0;
    if (list[index] === "Breach") {
      first = index;
    }
  }
  return (last - first) * STEP >= forMs;
}

/** Prometheus' alerting rule: active at the first true evaluation, fires when it has been active for `for`. */
function prometheusAlert(list: readonly boolean[], forMs: number): readonly number[] {
  let activeAt: number | undefined;
  return list.flatMap((isTrue, index) => {
    const now = index * STEP;
    if (!isTrue) {
      activeAt = undefined;
      return [];
    }
    activeAt ??= now;
    return now - activeAt >= forMs ? [now] : [];
  });
}

function parse(text: string): readonly Verdict[] {
  return text.split("").map((char) => (char === "B" ? "Breach" : char === "o" ? "Ok" : "None"));
}

describe("a row fires", () => {
  it.each([
    ["for 0s: one verdict is enough", "oB", 0, 1],
    ["first and last included: five evaluations for four steps", "oBBBBB", 4, 5],
    ["not one step earlier", "oBBBB", 4, undefined],
    ["an Ok starts it again", "oBBoBBBBB", 4, 8],
    ["two unknowns in a row are tolerated", "oB--BB", 4, 5],
    ["three reset", "oB---BBBBB", 4, 9],
    ["an unknown never fires, however long the run is", "oBBBB--", 4, undefined],
  ] as const)("%s", (_, text, steps, expected) => {
    const first = firingInstants(parse(text), steps * STEP)[0];
    expect(first).toBe(expected === undefined ? undefined : expected * STEP);
  });

  it("as Prometheus' alerting rule does, on series without gaps", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 80 }), forSteps, (list, forMs) => {
        const own = list.map((isTrue): Verdict => (isTrue ? "Breach" : "Ok"));
        expect(firingInstants(own, forMs)).toEqual(prometheusAlert(list, forMs));
      }),
    );
  });

  it("as its definition says, with gaps too", () => {
    fc.assert(
      fc.property(verdicts, forSteps, (list, forMs) => {
        const byDefinition = list.flatMap((_, index) =>
          firesByDefinition(list.slice(0, index + 1), forMs) ? [index * STEP] : [],
        );
        expect(firingInstants(list, forMs)).toEqual(byDefinition);
      }),
      { numRuns: 500 },
    );
  });

  it("stays Firing for people through a tolerated gap, without firing in it", () => {
    const states = run(parse("oBBB--"));
    expect(states.map((state) => phaseOf(state, 2 * STEP))).toEqual([
      "Inactive",
      "Pending",
      "Pending",
      "Firing",
      "Firing",
      "Firing",
    ]);
    expect(states.map((state) => fires(state, 2 * STEP)).lastIndexOf(true)).toBe(3);
  });
});

describe("samples without a verdict", () => {
  it("never fire: a breach replaced by any of them never makes an earlier firing", () => {
    fc.assert(
      fc.property(verdicts, forSteps, fc.nat(), (list, forMs, pick) => {
        const breaches = list.flatMap((item, index) => (item === "Breach" ? [index] : []));
        fc.pre(breaches.length > 0);
        const at = breaches[pick % breaches.length]!;
        const blinded = list.with(at, "None");
        const before = new Set(firingInstants(list, forMs));
        for (const instant of firingInstants(blinded, forMs)) {
          expect(before.has(instant)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never fire on top of a history: any number of them after it", () => {
    fc.assert(
      fc.property(verdicts, fc.integer({ min: 1, max: 6 }), forSteps, (list, count, forMs) => {
        const states = run([...list, ...Array.from({ length: count }, (): Verdict => "None")]);
        expect(states.slice(list.length).some((state) => fires(state, forMs))).toBe(false);
      }),
    );
  });

  it("are all treated alike, whatever their class", () => {
    for (const kind of kinds) {
      expect(verdictOf(ROW, { kind, detail: "" })).toBe("None");
    }
    expect(verdictOf(ROW, { kind: "Value", value: Number.NaN })).toBe("None");
    expect(verdictOf(ROW, { kind: "Value", value: Infinity })).toBe("None");
  });

  it("count the same when the evaluation did not take place at all", () => {
    const skips = fc.array(fc.boolean(), { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(verdicts, forSteps, skips, (list, forMs, skipped) => {
        let state = emptyWindow();
        for (const [index, expected] of run(list).entries()) {
          const item = list[index]!;
          if (item === "None" && skipped[index] === true) {
            continue;
          }
          state = observe(state, index * STEP, item, STEP);
          expect(fires(state, forMs)).toBe(fires(expected, forMs));
          expect(state.run).toEqual(expected.run);
          expect(state.onset).toBe(expected.onset);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("onset", () => {
  it.each([
    ["the first breach of the run", "ooBB", 2, 1],
    ["unknown beginning at the left edge", "BB", 0, undefined],
    ["a long gap is no recovery: the earlier breach counts", "oB----BB", 1, 0],
    ["nothing but unknowns before: left edge", "---BB", 3, undefined],
    ["after a night without traffic the last Ok is remembered", "o-----B", 6, 0],
  ] as const)("%s", (_, text, onset, healthyAt) => {
    const state = run(parse(text)).at(-1);
    expect(state?.onset).toBe(onset * STEP);
    expect(state?.healthyAt).toBe(healthyAt === undefined ? undefined : healthyAt * STEP);
  });

  it("is the start of the run on series without gaps", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Verdict>("Breach", "Ok"), { maxLength: 40 }), (list) => {
        for (const state of run(list)) {
          expect(state.onset).toBe(state.run?.since);
        }
      }),
    );
  });
});

describe("replay", () => {
  it("rebuilds the state that watching gave, and overlapping ticks change nothing", () => {
    const sampleOf = (item: Verdict): Sample =>
      item === "None"
        ? { kind: "NoData", detail: "" }
        : { kind: "Value", value: item === "Breach" ? 0.5 : 0 };
    fc.assert(
      fc.property(fc.array(verdict, { minLength: 1, maxLength: 40 }), fc.nat({ max: 39 }), (list, cut) => {
        const samples = list.map((item, index): TimedSample => ({
          at: index * STEP,
          sample: sampleOf(item),
        }));
        const watched = run(list).at(-1)!;
        const rebuilt = replay(ROW, samples, STEP);
        expect(rebuilt).toEqual(watched);
        const again = samples
          .slice(cut)
          .reduce((state, { at, sample }) => observe(state, at, verdictOf(ROW, sample), STEP), rebuilt);
        expect(again).toEqual(rebuilt);
      }),
    );
  });

  it("takes a tick that is late by less than half an interval as on time", () => {
    let state = observe(emptyWindow(), 0, "Breach", STEP);
    state = observe(state, 22_000, "None", STEP);
    expect(state.unseen).toBe(1);
    state = observe(state, 53_000, "None", STEP);
    expect(state.unseen).toBe(3);
    expect(state.run).toBeUndefined();
  });
});
