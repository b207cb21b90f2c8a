import { describe, expect, it } from "@jest/globals";
import { Turns } from "./turns.ts";

const patient = new AbortController().signal;

/** Jobs that end when told to; `begun` in the order in which they began. */
function jobs(turns: Turns) {
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const start = (id: number, patience = patient) =>
    turns.take(() => {
      begun.push(id);
      return new Promise<number>((resolve) => ends.set(id, () => resolve(id)));
    }, patience);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { begun, start, settle, end: async (id: number) => (ends.get(id)?.(), settle()) };
}

describe("Turns", () => {
  it("lets as many go as there are turns, the others in the order in which they came", async () => {
    const { begun, start, settle, end } = jobs(new Turns(2));
    const all = [1, 2, 3, 4].map((id) => start(id));
    await settle();
    expect(begun).toEqual([1, 2]);
    await end(2);
    expect(begun).toEqual([1, 2, 3]);
    await end(3);
    await end(1);
    await end(4);
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4]);
  });

  it("forgets who lost patience, and gives the turn to the next one", async () => {
    const { begun, start, settle, end } = jobs(new Turns(1));
    const impatient = new AbortController();
    const first = start(1);
    const second = start(2, impatient.signal);
    const third = start(3);
    await settle();
    impatient.abort();
    expect(await second).toBeUndefined();
    expect(await start(4, impatient.signal)).toBeUndefined();
    await end(1);
    expect(begun).toEqual([1, 3]);
    await end(3);
    expect(await Promise.all([first, third])).toEqual([1, 3]);
    // Nobody waits: the turn is free again.
    const fifth = start(5);
    await settle();
    await end(5);
    expect(await fifth).toBe(5);
  });

  it("keeps its turn for one whose patience ends while it works", async () => {
    const { start, settle, end, begun } = jobs(new Turns(1));
    const impatient = new AbortController();
    const first = start(1, impatient.signal);
    const second = start(2);
    await settle();
    impatient.abort();
    await settle();
    expect(begun).toEqual([1]);
    await end(1);
    await end(2);
    expect(await Promise.all([first, second])).toEqual([1, 2]);
  });

  it("goes on after work that throws", async () => {
    const turns = new Turns(1);
    await expect(turns.take(async () => Promise.reject(new Error("no")), patient)).rejects.toThrow("no");
    expect(await turns.take(async () => "next", patient)).toBe("next");
  });
});
