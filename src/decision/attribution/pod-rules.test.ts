import { describe, expect, it } from "@jest/globals";
import { BAD, GOOD, goneBadAt, NEW, OLD, START, withPods, type PodLife } from "./testing/case.ts";

describe("pods side by side", () => {
  it("prove it when only the new ones breach", () => {
    expect(withPods([NEW, NEW, OLD, OLD])).toEqual({
      verdict: "Caused",
      reason:
        "the breach began at 14:04:35, 1m35s after revision 7 started; new pods 23% vs old pods 0.2%: caused by revision 7",
      finding: "new pods 23% vs old pods 0.2%: caused by revision 7",
    });
  });

  it.each<[string, readonly PodLife[], string, string]>([
    [
      "old ones are as bad",
      [NEW, NEW, { ...OLD, share: BAD }],
      "Unknown",
      "old pods 23%: old and new pods breach alike",
    ],
    [
      "old ones are bad, though much less",
      [NEW, NEW, { ...OLD, share: () => 0.105 }],
      "Likely",
      "after revision 7",
    ],
    ["there is one new pod only: it may be its node", [NEW, OLD, OLD], "Likely", "after revision 7"],
    ["there are no old ones", [NEW, NEW], "Likely", "after revision 7"],
    [
      "too few requests",
      [
        { ...NEW, total: 2 },
        { ...NEW, total: 2 },
        { ...OLD, total: 2 },
      ],
      "Likely",
      "after",
    ],
    [
      "a dependency breaks just when the old ones have stopped",
      [
        { ...NEW, share: goneBadAt(60) },
        { ...NEW, share: goneBadAt(60) },
        { ...OLD, to: 60 },
      ],
      "Likely",
      "after",
    ],
    [
      "a dependency breaks while both are there",
      [
        { ...NEW, share: goneBadAt(45) },
        { ...NEW, share: goneBadAt(45) },
        { ...OLD, to: 105, share: goneBadAt(45) },
      ],
      "Unknown",
      "new pods 90% vs old pods 90%",
    ],
    [
      "old ones fail only while they shut down",
      [NEW, NEW, { ...OLD, to: 105, share: (at) => (at === 105 ? 0.5 : 0.002) }],
      "Caused",
      "new pods",
    ],
    [
      "new ones were bad while they warmed up, and well until the breach",
      [1, 2]
        .map((): PodLife => ({ ...NEW, share: (at) => (at < 60 || at > 120 ? 0.5 : 0) }))
        .concat([{ ...OLD, share: GOOD }]),
      "Unknown",
      "were well for 1m and then broke at one moment",
    ],
    [
      "one of six carries it",
      [NEW, ...[2, 3, 4, 5, 6].map(() => ({ ...NEW, share: GOOD }))],
      "Unlikely",
      "1 of 6 pods of revision 7 carries it, the others are healthy: look at that pod and its node",
    ],
    ["one of two carries it", [NEW, { ...NEW, share: GOOD }], "Unknown", "1 of 2 pods"],
    ["two of three carry it", [NEW, NEW, { ...NEW, share: GOOD }], "Likely", "after"],
    [
      "one carries it, but the others are not well",
      [NEW, ...[2, 3].map(() => ({ ...NEW, share: () => 0.09 }))],
      "Likely",
      "after",
    ],
  ])("%s", (_, lives, verdict, words) => {
    const found = withPods(lives);
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
  });

  it.each<[string, readonly PodLife[], string, string]>([
    [
      "all break at one moment after they were well",
      [NEW, NEW, NEW].map((pod, i) => ({ ...pod, from: -300 + 30 * i, share: goneBadAt(75) })),
      "Unknown",
      "revision 7 were well for 6m15s and then broke at one moment",
    ],
    [
      "more load comes than they ever served well",
      [NEW, NEW, NEW].map((pod) => ({
        ...pod,
        from: -300,
        total: (at) => (at > 75 ? 700 : 500),
        share: (at) => (at > 75 ? 0.25 : 0),
      })),
      "Likely",
      "after revision 7",
    ],
    [
      "they become worse and worse: a leak",
      [NEW, NEW, NEW].map((pod) => ({ ...pod, from: -300, share: (at) => Math.max(0, (at - 30) / 400) })),
      "Likely",
      "after revision 7",
    ],
    [
      "a leak has reached the oldest one only",
      [100, 300, 300, 300].map((late) => ({
        ...NEW,
        from: -300,
        share: (at) => Math.max(0, (at + 100 - late) / 400),
      })),
      "Likely",
      "after revision 7",
    ],
    [
      "a node has taken one of them",
      [100, 300, 300, 300].map((late) => ({ ...NEW, from: -300, share: goneBadAt(late) })),
      "Unlikely",
      "1 of 4 pods",
    ],
    [
      "old ones broke before the new ones had a request",
      [
        { ...OLD, to: 30, share: goneBadAt(0) },
        ...[NEW, NEW].map((pod) => ({ ...pod, from: 45, share: () => 0.9 })),
      ],
      "Unknown",
      "new pods 90% vs old pods 90%",
    ],
    [
      "the last old one was as bad when it went",
      [
        { ...OLD, to: 30, share: goneBadAt(15) },
        ...[NEW, NEW].map((pod) => ({ ...pod, from: 45, share: () => 0.9 })),
      ],
      "Unknown",
      "new pods 90% vs old pods 90%",
    ],
    [
      "it is over, though the window still holds it",
      [NEW, NEW, OLD].map((pod) => ({ ...pod, share: (at) => (at > 165 ? 0.01 : 0.5) })),
      "Unknown",
      "the newest requests are fine again (1% in the last 45s)",
    ],
  ])("%s", (_, lives, verdict, words) => {
    const found = withPods(lives);
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
  });

  it("does not change its mind while the breach goes on, or ends", () => {
    const late = (at: number): number => (at > 75 && at < 585 ? 0.9 : 0);
    const lives = [NEW, NEW].map((pod) => ({ ...pod, from: -300, to: 600, share: late }));
    const found = withPods(lives, { until: START + 600_000 });
    expect([found.verdict, found.finding]).toEqual(["Unknown", expect.stringContaining("at one moment")]);
  });

  it("compares pods, not requests, where slow is bad", () => {
    const slow = { slowerThan: 2.5, limit: 0.05 };
    const found = withPods([NEW, NEW, NEW, OLD, OLD], slow);
    expect(found.verdict).toBe("Caused");
    expect(found.finding).toBe("new pods 23% vs old pods 0.2% slower than 2.5s: caused by revision 7");
    // Two pods beside one, once: their order may be chance.
    const short = { ...OLD, to: 45 };
    expect(withPods([NEW, NEW, short], slow).verdict).toBe("Likely");
  });
});
