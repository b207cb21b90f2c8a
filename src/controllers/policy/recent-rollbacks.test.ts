import { describe, expect, it } from "@jest/globals";
import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import { createStore } from "../../kube/store.ts";
import { RecentRollbacks } from "./recent-rollbacks.ts";

const NOW = 100 * 3_600_000;

function world() {
  const ledgers = createStore<RollbackLedger>();
  const clock = { now: NOW };
  let version = 0;
  const record = (name: string, ...entries: readonly (readonly [string, number])[]) => {
    version += 1;
    const automatic = entries.map(([request, at]) => ({ request, at: new Date(at).toISOString() }));
    ledgers.upsert({
      metadata: { namespace: "shop", name, uid: name, resourceVersion: String(version) },
      spec: { automatic },
    } as unknown as RollbackLedger);
  };
  return { ledgers, clock, record, recent: new RecentRollbacks(ledgers, () => clock.now) };
}

const sorted = (times: readonly number[]) => times.toSorted((a, b) => a - b);

describe("RecentRollbacks", () => {
  it("counts what was just decided before any cache shows it, and once when it does", () => {
    const { recent, record } = world();
    record("old", ["r0", NOW - 1_000]);
    recent.follow();
    recent.reserve("r1", NOW);
    expect(sorted(recent.times())).toEqual([NOW - 1_000, NOW]);
    record("new", ["r1", NOW]);
    expect(sorted(recent.times())).toEqual([NOW - 1_000, NOW]);
  });

  it("follows ledgers that come, change and go", () => {
    const { recent, record, ledgers } = world();
    const stop = recent.follow();
    record("a", ["r1", NOW - 2_000]);
    record("b", ["r2", NOW - 3_000]);
    record("a", ["r1", NOW - 2_000], ["r3", NOW - 1_000]);
    expect(sorted(recent.times())).toEqual([NOW - 3_000, NOW - 2_000, NOW - 1_000]);
    const [gone] = ledgers.list();
    if (gone !== undefined) ledgers.remove(gone);
    expect(recent.times()).toEqual([NOW - 3_000]);
    stop();
    record("c", ["r4", NOW]);
    expect(recent.times()).toEqual([NOW - 3_000]);
  });

  it("forgets what was not recorded after all", () => {
    const { recent } = world();
    recent.reserve("r1", NOW);
    recent.release("r1");
    expect(recent.times()).toEqual([]);
  });

  it("keeps nothing longer than the longest span that is counted", () => {
    const { recent, record, clock } = world();
    recent.follow();
    for (let index = 0; index < 1_000; index += 1) recent.reserve(`r${index}`, NOW + index * 60_000);
    expect(recent.times()).toHaveLength(10);
    record("a", ["x", NOW - 700_000], ["y", NOW]);
    expect(recent.times()).toHaveLength(11);
    clock.now = NOW + 601_000;
    expect(recent.times()).toHaveLength(10);
  });
});
