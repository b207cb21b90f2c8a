import { describe, expect, it } from "@jest/globals";
import { createFakeClock } from "../../kube/testing/fake-clock.ts";
import { gridOf, type Grid } from "./schedule.ts";
import { Ticker } from "./ticker.ts";

const START = Date.UTC(2026, 10, 22, 14, 0, 0);
const GRID: Grid = { intervalMs: 10_000, offsetMs: 3_000 };
const LATER: Grid = { intervalMs: 10_000, offsetMs: 7_000 };

interface Subject {
  readonly name: string;
}

/** A ticker whose evaluations are listed as `name@seconds since the start`; `hold` keeps one from ending. */
function world() {
  const clock = createFakeClock(START);
  const abort = new AbortController();
  const seen: string[] = [];
  const errors: unknown[] = [];
  const held = new Map<string, PromiseWithResolvers<void>>();
  let shiftMs = 0;
  const ticker = new Ticker<Subject>({
    clock: { now: () => clock.now() + shiftMs, setTimer: (ms, callback) => clock.setTimer(ms, callback) },
    async evaluate({ name }, at, signal) {
      seen.push(`${name}@${(at - START) / 1_000}`);
      const hold = held.get(name);
      signal.addEventListener("abort", () => hold?.reject(signal.reason));
      await hold?.promise;
    },
    onError: (key, error) => void errors.push([key, String(error)]),
    signal: abort.signal,
  });
  return {
    clock,
    ticker,
    seen,
    errors,
    abort,
    hold: (name: string) => held.set(name, Promise.withResolvers<void>()),
    release(name: string) {
      held.get(name)?.resolve();
      held.delete(name);
    },
    setClock: (ms: number) => (shiftMs += ms),
    take: () => seen.splice(0),
  };
}

describe("Ticker", () => {
  it("evaluates a newcomer at the newest instant at once, then at every instant of its grid", async () => {
    const { ticker, clock, take } = world();
    ticker.set("a", GRID, { name: "a" });
    await clock.advance(1_000);
    expect(take()).toEqual(["a@-7"]);
    await clock.advance(30_000);
    expect(take()).toEqual(["a@3", "a@13", "a@23"]);
  });

  it("begins all of one grid in one turn, and gathers newcomers", async () => {
    const { ticker, clock, take } = world();
    for (const name of ["a", "b"]) ticker.set(name, GRID, { name });
    ticker.set("later", LATER, { name: "later" });
    await clock.advance(100);
    ticker.set("c", GRID, { name: "c" });
    await clock.advance(150);
    expect(take().toSorted()).toEqual(["a@-7", "b@-7", "c@-7", "later@-3"]);
    await clock.advance(9_750);
    expect(take()).toEqual(["a@3", "b@3", "c@3", "later@7"]);
  });

  it("evaluates a newcomer once where its first instant comes before it was gathered", async () => {
    const { ticker, clock, take } = world();
    await clock.advance(2_900);
    ticker.set("a", GRID, { name: "a" });
    await clock.advance(5_000);
    expect(take()).toEqual(["a@3"]);
  });

  it("lets nobody wait for a subject that is busy, which leaves out whole instants", async () => {
    const { ticker, clock, take, hold, release } = world();
    ticker.set("slow", GRID, { name: "slow" });
    ticker.set("quick", GRID, { name: "quick" });
    await clock.advance(1_000);
    take();
    hold("slow");
    await clock.advance(20_000);
    expect(take()).toEqual(["slow@3", "quick@3", "quick@13"]);
    release("slow");
    await clock.advance(10_000);
    expect(take()).toEqual(["slow@23", "quick@23"]);
  });

  it("gives an evaluation up that never ends, tells it, and goes on", async () => {
    const { ticker, clock, take, hold, release, errors } = world();
    ticker.set("a", GRID, { name: "a" });
    await clock.advance(1_000);
    hold("a");
    await clock.advance(62_500);
    expect(errors[0]).toEqual(["a", "Error: the evaluation did not end within 60 s"]);
    release("a");
    take();
    await clock.advance(10_000);
    expect(take()).toEqual(["a@73"]);
  });

  it("keeps a subject's place while it is the same, and begins anew with another one", async () => {
    const { ticker, clock, take } = world();
    const first = { name: "first" };
    ticker.set("a", GRID, first);
    await clock.advance(1_000);
    ticker.set("a", GRID, first);
    await clock.advance(500);
    expect(take()).toEqual(["first@-7"]);
    ticker.set("a", LATER, { name: "second" });
    await clock.advance(10_000);
    expect(take()).toEqual(["second@-3", "second@7"]);
    expect(ticker.size).toBe(1);
  });

  it("forgets who is removed, and lets go of every timer", async () => {
    const { ticker, clock, take } = world();
    ticker.set("a", GRID, { name: "a" });
    ticker.set("b", GRID, { name: "b" });
    await clock.advance(1_000);
    ticker.remove("a");
    ticker.remove("unknown");
    await clock.advance(5_000);
    expect(take()).toEqual(["a@-7", "b@-7", "b@3"]);
    ticker.remove("b");
    expect(clock.pending).toBe(0);
  });

  it("evaluates the instants that the wall clock shows, also when it is set back or forward", async () => {
    const { ticker, clock, take, setClock } = world();
    ticker.set("a", GRID, { name: "a" });
    await clock.advance(4_000);
    expect(take()).toEqual(["a@-7", "a@3"]);
    setClock(-3_600_000);
    await clock.advance(20_000);
    expect(take()).toEqual(["a@-3587", "a@-3577"]);
    setClock(7_200_000);
    await clock.advance(10_000);
    expect(take()).toEqual(["a@3633"]);
  });

  it("ends with its signal", async () => {
    const { ticker, clock, take, abort, errors, hold } = world();
    ticker.set("a", GRID, { name: "a" });
    hold("a");
    await clock.advance(1_000);
    abort.abort(new Error("stop"));
    await clock.advance(60_000);
    ticker.set("b", GRID, { name: "b" });
    await clock.advance(60_000);
    expect(take()).toEqual(["a@-7"]);
    expect(errors).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("starts ten thousand in less than ten timers", () => {
    const { ticker, clock } = world();
    for (let index = 0; index < 10_000; index += 1) {
      ticker.set(`p${index}`, gridOf(`group ${index % 3}`, 15_000), { name: `p${index}` });
    }
    expect(clock.pending).toBeLessThan(10);
  });
});
