import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { IllPods } from "./evidence.ts";
import { MINUTE, START, verdictWith } from "./testing/case.ts";

/** So many new and old pods, of which so many are ill. */
function ill(
  fresh: readonly [number, number],
  old: readonly [number, number],
  change: Partial<IllPods> = {},
) {
  const side = (hash: string, [bad, all]: readonly [number, number]) =>
    Array.from({ length: all }, (_, n) => ({ hash, isIll: n < bad }));
  const pods = [...side("h7", fresh), ...side("h6", old)];
  return { ill: { what: "OOMKilled", isComparable: true, pods, ...change } };
}

describe("pods that the cluster calls ill", () => {
  it("prove a difference when the old ones are well beside them", () => {
    expect(verdictWith(ill([2, 3], [0, 2]))).toMatchObject({
      verdict: "Caused",
      finding: "OOMKilled: 2 of 3 new pods, 0 of 2 old pods: caused by revision 7",
    });
  });

  it.each<[string, ReturnType<typeof ill>]>([
    ["one new pod may have a bad node", ill([1, 1], [0, 4])],
    ["one old pod may be lucky", ill([2, 2], [0, 1])],
    ["no old pods are left", ill([2, 2], [0, 0])],
    ["few of the new ones are", ill([2, 5], [0, 5])],
    ["what happens at a start only", ill([2, 2], [0, 2], { isComparable: false })],
    ["hardly any old ones", ill([4, 4], [1, 4])],
  ])("prove nothing, so that time alone speaks: %s", (_, evidence) => {
    expect(verdictWith(evidence)).toMatchObject({ verdict: "Likely" });
  });

  it("make doubt when the old ones are as ill, comparable or not", () => {
    for (const isComparable of [true, false]) {
      expect(verdictWith(ill([2, 2], [2, 2], { isComparable }))).toMatchObject({
        verdict: "Unknown",
        finding:
          "OOMKilled: 2 of 2 new pods, 2 of 2 old pods: old and new pods alike, look for something that they share",
      });
    }
  });

  it("lead to an earlier release where its pods are as ill", () => {
    const six = { replicaSetUid: "rs-6", revision: 6, podTemplateHash: "h6", startedAt: START - 2 * MINUTE };
    expect(verdictWith(ill([2, 2], [2, 2]), { previous: [six] })).toMatchObject({
      verdict: "Likely",
      cause: six,
    });
  });

  it("never act on a release whose old pods are ill as often", () => {
    const side = fc.nat(6).chain((all) => fc.tuple(fc.nat(all), fc.constant(all)));
    fc.assert(
      fc.property(side, side, fc.boolean(), (fresh, old, isComparable) => {
        const { verdict } = verdictWith(ill(fresh, old, { isComparable }));
        const isAsOften = old[0] > 0 && old[0] * fresh[1] >= fresh[0] * old[1];
        if (isAsOften) expect(verdict).toBe("Unknown");
        if (old[0] > 0) expect(verdict).not.toBe("Caused");
      }),
    );
  });
});
