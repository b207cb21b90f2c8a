import { describe, expect, it } from "@jest/globals";
import {
  evaluateRows,
  parseMatrix,
  statesOf,
  strongestFirst,
  type RowEvaluation,
  type RowSpec,
} from "./matrix.ts";
import type { Row, RowAction } from "./row.ts";
import type { Sample } from "./sample.ts";

function row(name: string, action: RowAction, extra: Partial<Row> = {}): Row {
  return {
    name,
    signal: "error-rate",
    unit: "ratio",
    comparison: "above",
    threshold: 0.1,
    forMs: 0,
    severity: "SEV1",
    action,
    plan: "application",
    expiresAfterMs: 1_800_000,
    ...extra,
  };
}

function tick(rows: readonly Row[], sample: Sample): readonly RowEvaluation[] {
  return evaluateRows(rows, new Map([["error-rate", sample]]), new Map(), 1000, 1000);
}

describe("matrix", () => {
  it("puts Rollback before Notify, and keeps the order of the list among equals", () => {
    const rows = [row("a", "Notify"), row("b", "Rollback"), row("c", "Notify"), row("d", "Rollback")];
    const firing = strongestFirst(tick(rows, { kind: "Value", value: 0.5 }));
    expect(firing.map((evaluation) => evaluation.row.name)).toEqual(["b", "d", "a", "c"]);
  });

  it("judges each row by its own threshold and side; the threshold itself is no breach", () => {
    const rows = [row("high", "Notify"), row("low", "Notify", { comparison: "below", threshold: 0.2 })];
    expect(tick(rows, { kind: "Value", value: 0.1 }).map(({ verdict }) => verdict)).toEqual(["Ok", "Breach"]);
    expect(tick(rows, { kind: "Value", value: 0.2 }).map(({ verdict }) => verdict)).toEqual(["Breach", "Ok"]);
  });

  it("gives no verdict for a signal that was not sampled", () => {
    const [evaluation] = evaluateRows([row("a", "Rollback")], new Map(), new Map(), 1000, 1000);
    expect(evaluation).toMatchObject({ verdict: "None", fires: false, sample: { kind: "Error" } });
  });

  it("carries the states from tick to tick", () => {
    const rows = [row("a", "Rollback", { forMs: 2000 })];
    const sample = new Map<string, Sample>([["error-rate", { kind: "Value", value: 1 }]]);
    let evaluations = evaluateRows(rows, sample, new Map(), 0, 1000);
    evaluations = evaluateRows(rows, sample, statesOf(evaluations), 1000, 1000);
    expect(evaluations[0]?.fires).toBe(false);
    evaluations = evaluateRows(rows, sample, statesOf(evaluations), 2000, 1000);
    expect(evaluations[0]?.fires).toBe(true);
  });
});

describe("parseMatrix", () => {
  const spec: RowSpec = {
    name: "critical",
    when: { signal: "error-rate", above: "0.10", for: "2m" },
    severity: "SEV1",
    action: "Rollback",
  };
  const minutes = (text: string) => Number.parseInt(text, 10) * 60_000;

  it("reads thresholds and lengths", () => {
    const parsed = parseMatrix([spec], new Map([["error-rate", "ratio"]]), minutes);
    expect(parsed).toEqual({ kind: "Parsed", rows: [row("critical", "Rollback", { forMs: 120_000 })] });
  });

  it.each([
    [{ ...spec, when: { signal: "errors", above: "1", for: "0m" } }, 'signal "errors" is not defined'],
    [{ ...spec, when: { signal: "error-rate", for: "0m" } }, "exactly one of when.above and when.below"],
    [{ ...spec, when: { signal: "error-rate", above: "1", below: "0", for: "0m" } }, "exactly one"],
    [{ ...spec, when: { signal: "error-rate", above: "much", for: "0m" } }, "must be a number"],
    [{ ...spec, when: { signal: "error-rate", above: " ", for: "0m" } }, "must be a number"],
  ])("names what is wrong: %#", (bad, message) => {
    const parsed = parseMatrix([bad], new Map([["error-rate", "ratio"]]), minutes);
    expect(parsed).toEqual({ kind: "Refused", problems: [expect.stringContaining(message)] });
  });
});
