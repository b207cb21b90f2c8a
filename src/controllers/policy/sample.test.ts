import { describe, expect, it } from "@jest/globals";
import type { Sample, TimedSample } from "../../decision/sample.ts";
import type { CompiledPolicy } from "./compile.ts";
import { createRuntime } from "./runtime.ts";
import { tick } from "./sample.ts";

const STEP = 15_000;
const START = Date.UTC(2026, 10, 22, 14, 0, 0);
const ROW = {
  name: "critical",
  signal: "error-rate",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 4 * STEP,
  severity: "SEV1",
  action: "Rollback",
} as const;
const { signal } = new AbortController();

/** A server whose signal has a value at every instant; `down` while it is true. */
function fake(valueAt: (at: number) => number) {
  const asked = { instants: [] as number[], ranges: [] as (readonly [number, number])[] };
  const state = { down: false };
  const sampleAt = (at: number): Sample => ({ kind: "Value", value: valueAt(at) });
  const error = { kind: "Unreachable", message: "down" } as const;
  const sampler = {
    async sample(_query: unknown, at: number): Promise<Sample> {
      asked.instants.push(at);
      return state.down ? { kind: "Error", detail: "down" } : sampleAt(at);
    },
    async sampleRange(_query: unknown, start: number, end: number, step: number) {
      asked.ranges.push([start, end]);
      if (state.down) return { kind: "Failed", error };
      const value: TimedSample[] = [];
      for (let at = start; at <= end; at += step) value.push({ at, sample: sampleAt(at) });
      return { kind: "Ok", value, warnings: [] };
    },
  };
  const compiled = {
    kind: "Compiled",
    rows: [ROW],
    signals: [{ name: "error-rate", query: { kind: "ratio", unit: "ratio" }, sampler }],
    rehydrateMs: 40 * STEP,
    view: { intervalMs: STEP },
  } as unknown as CompiledPolicy;
  return { compiled, asked, state, runtime: () => createRuntime("u", 1, compiled, [], START) };
}

const brokenFrom = (start: number) => (at: number) => (at >= start ? 0.5 : 0);

describe("tick", () => {
  it("reads the past back once, so that a new process fires at the same instant", async () => {
    const onset = START - 2 * STEP;
    const server = fake(brokenFrom(onset));
    const runtime = server.runtime();
    const fired: number[] = [];
    for (let at = START; at <= START + 4 * STEP; at += STEP) {
      await tick(runtime, server.compiled, at, 2, signal);
      if (runtime.evaluations[0]?.fires === true) fired.push(at);
    }
    expect(fired[0]).toBe(onset + ROW.forMs);
    expect(runtime.evaluations[0]?.window).toMatchObject({ onset, healthyAt: onset - STEP });
    expect(server.asked.ranges).toEqual([[START - 40 * STEP, START - STEP]]);
  });

  it("reads it back later where the server is down at first", async () => {
    const server = fake(brokenFrom(START - 10 * STEP));
    const runtime = server.runtime();
    server.state.down = true;
    await tick(runtime, server.compiled, START, 2, signal);
    expect(runtime.evaluations[0]).toMatchObject({ fires: false, verdict: "None" });
    server.state.down = false;
    await tick(runtime, server.compiled, START + STEP, 2, signal);
    expect(runtime.evaluations[0]).toMatchObject({ fires: true, window: { onset: START - 10 * STEP } });
    await tick(runtime, server.compiled, START + 2 * STEP, 2, signal);
    expect(server.asked.ranges).toHaveLength(2);
  });

  it("goes on when the clock is set back", async () => {
    const server = fake(brokenFrom(START));
    const runtime = server.runtime();
    const late = START + 240 * STEP;
    await tick(runtime, server.compiled, late, 2, signal);
    expect(runtime.evaluations[0]?.fires).toBe(true);
    await tick(runtime, server.compiled, START, 2, signal);
    expect(runtime.evaluations[0]).toMatchObject({ at: START, fires: false, window: { onset: START } });
  });
});
