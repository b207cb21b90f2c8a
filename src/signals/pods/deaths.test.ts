import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { ended, iso, pod, T0 } from "../testing/pods.ts";
import { deathsOf, recordDeaths } from "./death-record.ts";
import { boundDeaths, countDeaths, mergeDeaths, MOST_DEATHS, type Death } from "./deaths.ts";
import { podFacts } from "./pod-facts.ts";

const EMPTY = RollbackLedgerSpec.parse({
  target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
});
const QUESTION = {
  reason: "OOMKilled",
  windowMs: 900_000,
  distinctPods: 1,
  replicaSetUid: "rs-2",
  bornSince: T0,
};

function death(change: Partial<Death> = {}): Death {
  return {
    replicaSetUid: "rs-2",
    podUid: "a",
    podCreatedAt: T0,
    container: "app",
    id: "1",
    reason: "OOMKilled",
    at: T0 + 60_000,
    ...change,
  };
}

describe("container deaths", () => {
  it("count in the window, whatever their order, of this release's pods only", () => {
    const deaths = [
      death(),
      death({ id: "2", at: T0 + 70_000 }),
      death({ id: "3", reason: "Error" }),
      death({ podUid: "old", replicaSetUid: "rs-1" }),
      death({ podUid: "kept", podCreatedAt: T0 - 1 }),
    ];
    expect(countDeaths(deaths, QUESTION, T0 + 100_000)).toBe(2);
    expect(countDeaths(deaths, QUESTION, T0 + 960_000)).toBe(1);
    expect(countDeaths(deaths, QUESTION, T0 + 970_000)).toBe(0);
    expect(countDeaths(deaths, QUESTION, T0 + 60_000, T0 + 60_000)).toBe(1);
  });

  it("are 0 until enough different pods have died", () => {
    const twoOfOne = [death(), death({ id: "2" })];
    const twoPods = [...twoOfOne, death({ podUid: "b" })];
    expect(countDeaths(twoOfOne, { ...QUESTION, distinctPods: 2 }, T0 + 100_000)).toBe(0);
    expect(countDeaths(twoPods, { ...QUESTION, distinctPods: 2 }, T0 + 100_000)).toBe(3);
  });

  it("of one reason do not push out those of another, and the oldest go first", () => {
    const flood = Array.from({ length: 300 }, (_, n) =>
      death({ id: `e${n}`, reason: "Error", at: T0 + 1_000 * n }),
    );
    const kept = boundDeaths(mergeDeaths(flood, [death({ at: T0 })]));
    expect(kept).toHaveLength(MOST_DEATHS + 1);
    expect(kept[0]?.reason).toBe("OOMKilled");
    expect(kept.at(-1)?.id).toBe("e299");
  });

  it("are recorded once, and a ledger that has them all is left as it is", () => {
    const first = recordDeaths(EMPTY, [death()]);
    expect(first.deaths).toHaveLength(1);
    expect(recordDeaths(first, [death()])).toBe(first);
    const second = recordDeaths(first, [death({ id: "2", at: T0 }), death()]);
    expect(second.deaths?.map(({ id }) => id)).toEqual(["2", "1"]);
    expect(RollbackLedgerSpec.safeParse(second).success).toBe(true);
    expect(deathsOf(second)).toEqual([death({ id: "2", at: T0 }), death()]);
  });

  it("that are too old to be kept are no news to write", () => {
    const ledger = recordDeaths(EMPTY, [death({ at: T0 + 90_000_000 })]);
    expect(recordDeaths(ledger, [death({ id: "old", at: T0 })])).toBe(ledger);
  });
});

/** One container of a pod that dies again and again, and what its status says at each moment. */
interface Life {
  readonly pod: string;
  readonly ends: readonly { readonly reason: string; readonly afterS: number; readonly seenDead: boolean }[];
}

const life = fc.record({
  pod: fc.constantFrom("a", "b", "c"),
  ends: fc.array(
    fc.record({
      reason: fc.constantFrom("OOMKilled", "Error", "Completed"),
      afterS: fc.integer({ min: 0, max: 90 }),
      seenDead: fc.boolean(),
    }),
    { maxLength: 6 },
  ),
});

/** Every status that the kubelet writes in such a life. */
function statuses({ pod: name, ends }: Life) {
  const seen = [];
  let at = T0;
  let last: ReturnType<typeof ended> | undefined;
  for (const [index, end] of ends.entries()) {
    at += end.afterS * 1_000;
    const now = ended(`${name}${index}`, at, end.reason);
    const before = last === undefined ? {} : { lastState: last };
    if (end.seenDead) seen.push({ state: now, ...before, restartCount: index });
    seen.push({ state: { running: { startedAt: iso(at) } }, lastState: now, restartCount: index + 1 });
    last = now;
  }
  return seen.map((container, version) => pod({ name, uid: name, version, containers: [container] }));
}

describe("each death is counted once", () => {
  it("whatever is seen of it how often, in whatever order, and with restarts of ours between", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(life, { selector: (each) => each.pod, maxLength: 3 }),
        fc.infiniteStream(fc.nat()),
        fc.nat({ max: 3 }),
        (lives, order, restarts) => {
          const all = lives.flatMap(statuses);
          // Watches repeat themselves, and a list after a restart tells again of what still exists.
          const told = [...all, ...all].map((each) => ({ each, key: order.next().value }));
          const shuffled = told.toSorted((x, y) => x.key - y.key).map(({ each }) => each);
          const part = Math.ceil((shuffled.length + 1) / (restarts + 1));
          let ledger = EMPTY;
          for (let begin = 0; begin < shuffled.length; begin += part) {
            // A process that begins anew knows the ledger only.
            let memory: readonly Death[] = [];
            for (const each of shuffled.slice(begin, begin + part)) {
              memory = boundDeaths(mergeDeaths(podFacts(each).deaths, memory));
              ledger = recordDeaths(ledger, memory);
            }
          }
          const died = lives.flatMap(({ ends }) => ends.filter(({ reason }) => reason === "OOMKilled"));
          const question = { ...QUESTION, windowMs: 86_400_000 };
          expect(countDeaths(deathsOf(ledger), question, T0 + 3_600_000)).toBe(died.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("and the same ledger comes out of every order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), (order) => {
        const deaths = order.map((n) => death({ id: String(n), at: T0 + 1_000 * Math.floor(n / 2) }));
        const oneByOne = deaths.reduce((ledger, each) => recordDeaths(ledger, [each]), EMPTY);
        expect(oneByOne.deaths).toEqual(
          recordDeaths(
            EMPTY,
            deaths.toSorted((a, b) => a.at - b.at),
          ).deaths,
        );
      }),
    );
  });
});
