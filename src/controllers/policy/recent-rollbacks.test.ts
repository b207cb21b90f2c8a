import { describe, expect, it } from "@jest/globals";
import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import { RecentRollbacks } from "./recent-rollbacks.ts";

function cache(...entries: readonly (readonly [string, number])[]) {
  const automatic = entries.map(([request, at]) => ({ request, at: new Date(at).toISOString() }));
  return { list: () => [{ spec: { automatic } } as unknown as RollbackLedger] };
}

describe("RecentRollbacks", () => {
  it("counts what was just decided before any cache shows it, and once when it does", () => {
    const entries: [string, number][] = [["r0", 1_000]];
    const recent = new RecentRollbacks({ list: () => cache(...entries).list() });
    recent.reserve("r1", 2_000);
    expect(recent.times()).toEqual(expect.arrayContaining([1_000, 2_000]));
    entries.push(["r1", 2_000]);
    expect(recent.times()).toHaveLength(2);
  });

  it("forgets what was not recorded after all", () => {
    const recent = new RecentRollbacks(cache());
    recent.reserve("r1", 0);
    recent.release("r1");
    expect(recent.times()).toEqual([]);
  });

  it("does not grow: reservations end with the span that counts them", () => {
    const recent = new RecentRollbacks(cache());
    for (let index = 0; index < 1_000; index += 1) recent.reserve(`r${index}`, index * 60_000);
    expect(recent.times()).toHaveLength(10);
  });
});
