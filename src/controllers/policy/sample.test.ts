import { describe, expect, it } from "@jest/globals";
import type { Sample, TimedSample } from "../../decision/sample.ts";
import type { SignalSource } from "../../signals/source.ts";
import type { CompiledPolicy } from "./compile.ts";
import { createRuntime } from "./runtime.ts";
import { tick } from "./sample.ts";

const STEP = 15_000;
const SUBJECT = { namespace: "shop", desiredReplicas: 2, live: undefined, rollbackTarget: undefined };
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
  plan: "application",
  expiresAfterMs: 1_800_000,
} as const;
const { signal } = new AbortController();

/** A server whose signal has a value at every instant; `down` while it is true. */
function fake(valueAt: (at: number) => number) {
  const asked = { instants: [] as number[], ranges: [] as (readonly [number, number])[] };
  const state = { down: false };
  const sampleAt = (at: number): Sample => ({ kind: "Value", value: valueAt(at) });
  const source: SignalSource = {
    unit: "ratio",
    async read(at) {
      asked.instants.push(at);
      return state.down ? { kind: "Error", detail: "down" } : sampleAt(at);
    },
    async readPast(start, end, step) {
      asked.ranges.push([start, end]);
      if (state.down) return { kind: "Failed" };
      const samples: TimedSample[] = [];
      for (let at = start; at <= end; at += step) samples.push({ at, sample: sampleAt(at) });
      return { kind: "Read", parts: new Map([["", samples]]) };
    },
  };
  const compiled = {
    kind: "Compiled",
    rows: [ROW],
    signals: [{ name: "error-rate", source }],
    rehydrateMs: 40 * STEP,
    view: { intervalMs: STEP },
  } as unknown as CompiledPolicy;
  return { compiled, asked, state, runtime: () => createRuntime("shop/web", "u", 1, compiled, [], START) };
}

const brokenFrom = (start: number) => (at: number) => (at >= start ? 0.5 : 0);

describe("tick", () => {
  it("reads the past back once, so that a new process fires at the same instant", async () => {
    const onset = START - 2 * STEP;
    const server = fake(brokenFrom(onset));
    const runtime = server.runtime();
    const fired: number[] = [];
    for (let at = START; at <= START + 4 * STEP; at += STEP) {
      await tick(runtime, server.compiled, at, SUBJECT, signal);
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
    await tick(runtime, server.compiled, START, SUBJECT, signal);
    expect(runtime.evaluations[0]).toMatchObject({ fires: false, verdict: "None" });
    server.state.down = false;
    await tick(runtime, server.compiled, START + STEP, SUBJECT, signal);
    expect(runtime.evaluations[0]).toMatchObject({ fires: true, window: { onset: START - 10 * STEP } });
    await tick(runtime, server.compiled, START + 2 * STEP, SUBJECT, signal);
    expect(server.asked.ranges).toHaveLength(2);
  });

  it("goes on when the clock is set back", async () => {
    const server = fake(brokenFrom(START));
    const runtime = server.runtime();
    const late = START + 240 * STEP;
    await tick(runtime, server.compiled, late, SUBJECT, signal);
    expect(runtime.evaluations[0]?.fires).toBe(true);
    await tick(runtime, server.compiled, START, SUBJECT, signal);
    expect(runtime.evaluations[0]).toMatchObject({ at: START, fires: false, window: { onset: START } });
  });
});
