import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { attribute, type AttributionInput } from "./attribute.ts";
import type { Evidence, PodEvidence } from "./evidence.ts";
import { BASE, HOUR, MINUTE, ONSET, pastEvidence, podEvidence, START, type PodLife } from "./testing/case.ts";

const BAD = (): number => 0.23;
const GOOD = (): number => 0.002;
const NEW = { hash: "h7", from: 15, to: 210, share: BAD } as const;
const OLD = { hash: "h6", from: -300, to: 120, share: GOOD } as const;
const goneBadAt =
  (second: number) =>
  (at: number): number =>
    at > second ? 0.9 : 0;

function verdictWith(
  evidence: Evidence,
  change: Partial<AttributionInput> = {},
): ReturnType<typeof attribute> {
  return attribute({ ...BASE, evidence, ...change });
}

function withPods(
  lives: readonly PodLife[],
  change: Partial<PodEvidence> = {},
): ReturnType<typeof attribute> {
  return verdictWith({ pods: podEvidence(lives, change) });
}

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
      "it is over, though the window still holds it",
      [NEW, NEW, OLD].map((pod) => ({ ...pod, share: (at) => (at > 165 ? 0.01 : 0.5) })),
      "Unknown",
      "the newest requests are fine again (1% in the last 45s)",
    ],
  ])("%s", (_, lives, verdict, words) => {
    const found = withPods(lives);
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
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

describe("what was there before", () => {
  const breaches = (...spans: readonly (readonly [number, number])[]) =>
    pastEvidence((at) =>
      spans.some(([from, to]) => at >= from && at <= to) ? { verdict: "Breach" as const, level: 0.15 } : {},
    );
  const ago = (hours: number, minutes = 5) =>
    [START - hours * HOUR, START - hours * HOUR + minutes * MINUTE] as const;

  it.each<[string, Evidence, string, string]>([
    ["a healthy day", { past: pastEvidence() }, "Likely", "after revision 7"],
    ["no history", { past: pastEvidence(undefined, { samples: [] }) }, "Likely", "after"],
    [
      "yesterday at this time",
      { past: breaches([ONSET - 24 * HOUR, ONSET - 24 * HOUR + 5 * MINUTE]) },
      "Unlikely",
      "a day earlier at 2026-11-21T14:04",
    ],
    [
      "yesterday, an hour later",
      { past: breaches([ONSET - 23 * HOUR, ONSET - 23 * HOUR + 5 * MINUTE]) },
      "Likely",
      "after",
    ],
    [
      "twice on that day",
      { past: breaches(ago(9), ago(5)) },
      "Unknown",
      "there 2 times before revision 7, last at 09:03",
    ],
    ["again and again", { past: breaches(ago(9), ago(7), ago(5)) }, "Unlikely", "there 3 times"],
    [
      "once, an hour ago",
      { past: breaches(ago(1)) },
      "Unknown",
      "the same breach was there before revision 7, last at 13:03",
    ],
    ["once, but too short for the row", { past: breaches(ago(1, 0)) }, "Likely", "after"],
    [
      "a flapping one is one story",
      { past: breaches(ago(9), [ago(9)[1] + 3 * MINUTE, ago(9)[1] + 8 * MINUTE]) },
      "Likely",
      "after",
    ],
    [
      "again and again, but not nearly as bad",
      {
        past: pastEvidence((at) => ({
          verdict: at >= ONSET || (at < START && at % HOUR < 10 * MINUTE) ? "Breach" : "Ok",
          level: at >= ONSET ? 0.6 : 0.12,
        })),
      },
      "Likely",
      "after",
    ],
    [
      "a week ago at this time",
      {
        past: pastEvidence(undefined, {
          lastWeek: [0, 1, 2].map((i) => ({
            at: ONSET - 168 * HOUR + i * MINUTE,
            verdict: "Breach" as const,
            level: 0.15,
          })),
        }),
      },
      "Unlikely",
      "7 days earlier",
    ],
  ])("%s", (_, evidence, verdict, words) => {
    const found = verdictWith(evidence);
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
  });

  it.each([
    [1_860, "Unknown", "traffic is 3.1 times the highest healthy traffic of the 24h"],
    [700, "Likely", "after revision 7"],
  ])("traffic of %d requests where 600 were ordinary", (requests, verdict, words) => {
    const found = verdictWith({ past: pastEvidence((at) => (at >= ONSET ? { requests } : {})) });
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
  });

  it("does not blame traffic for what failed from its first request on", () => {
    const past = pastEvidence((at) => (at >= ONSET ? { requests: 1_860 } : {}));
    expect(verdictWith({ past, pods: podEvidence([NEW, NEW]) }).verdict).toBe("Likely");
    const well = { ...NEW, from: -300, share: (at: number) => Math.max(0, (at - 30) / 400) };
    expect(verdictWith({ past, pods: podEvidence([well, well]) }).verdict).toBe("Unknown");
  });

  it("does not call traffic a surge that it has seen healthy too rarely", () => {
    const samples = pastEvidence((at) => (at >= ONSET ? { requests: 3000 } : {})).samples.filter(
      ({ at }) => at > START - 20 * MINUTE,
    );
    expect(verdictWith({ past: pastEvidence(undefined, { samples }) }).verdict).toBe("Likely");
  });

  it("says so when older versions carried the load that broke this one", () => {
    const onset = START + 30 * MINUTE;
    const past = pastEvidence((at) => ({
      verdict: at >= onset ? "Breach" : "Ok",
      requests: at >= onset || (at < START && at > START - 3 * HOUR) ? 900 : 300,
    }));
    const samples = [...past.samples];
    for (let at = BASE.now + MINUTE; at <= onset + 2 * MINUTE; at += MINUTE) {
      samples.push({ at, verdict: at >= onset ? "Breach" : "Ok", requests: at >= onset ? 900 : 300 });
    }
    const found = verdictWith(
      { past: { ...past, samples } },
      { onset, healthyAt: onset - 15_000, now: onset + 2 * MINUTE },
    );
    expect(found.reason).toBe(
      "the breach began at 14:33:00, 30m after revision 7 started; at a load that older revisions carried: likely caused by revision 7",
    );
  });
});

describe("other workloads", () => {
  const scope = (others: number, ...seconds: readonly number[]): Evidence => ({
    scope: {
      others,
      from: ONSET - 300_000,
      togetherMs: MINUTE,
      breaching: seconds.map((second, index) => ({ name: `app=w${index}`, since: ONSET + second * 1000 })),
    },
  });
  it.each<[string, Evidence, string, string]>([
    ["nobody else", scope(20), "Likely", "after"],
    ["one of many, with a release of its own perhaps", scope(20, 0), "Likely", "after"],
    [
      "the only other one",
      scope(1, 0),
      "Unknown",
      "1 other workload began to breach at the same time (app=w0)",
    ],
    [
      "several",
      scope(20, 0, -30, 15, 45),
      "Unknown",
      "4 other workloads began to breach at the same time (app=w0; app=w1; app=w2; …)",
    ],
    ["several, but long ago", scope(20, -300, -300), "Likely", "after"],
    ["several, but not together", scope(20, -200, 100, 90), "Likely", "after"],
  ])("%s", (_, evidence, verdict, words) => {
    const found = verdictWith(evidence);
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
  });

  it("are suspicious even alone when the release had been well, unless they are many", () => {
    const leak = { ...NEW, from: -300, share: (at: number) => Math.max(0, (at - 30) / 400) };
    const pods = podEvidence([leak, leak]);
    expect(verdictWith({ pods, ...scope(4, 0) }).verdict).toBe("Unknown");
    expect(verdictWith({ pods, ...scope(40, 0) }).verdict).toBe("Likely");
    expect(verdictWith({ pods: podEvidence([NEW, NEW]), ...scope(4, 0) }).verdict).toBe("Likely");
  });

  it("do not outweigh a proof", () => {
    const evidence = { ...scope(20, 0, 0, 0), failed: "HTTP 503", pods: podEvidence([NEW, NEW, OLD]) };
    expect(verdictWith(evidence).verdict).toBe("Caused");
  });
});

describe("two releases close together", () => {
  const six = { replicaSetUid: "rs-6", revision: 6, podTemplateHash: "h6", startedAt: START - 2 * MINUTE };

  it("blames the earlier one for what began before the live one", () => {
    const change = { previous: [six], onset: START - MINUTE, healthyAt: START - MINUTE - 15_000 };
    const found = verdictWith({}, change);
    expect(found).toMatchObject({ verdict: "Likely", cause: six });
    expect(found.reason).toBe(
      "the breach began at 14:02:00, 1m after revision 6 started; likely caused by revision 6, which revision 7 did not mend",
    );
    const pods = podEvidence(
      [
        { hash: "h5", from: -300, to: -30, share: GOOD },
        { hash: "h6", from: -105, to: 60, share: BAD },
        { hash: "h6", from: -90, to: 60, share: BAD },
        { hash: "h7", from: 15, to: 210, share: BAD },
      ],
      { breachFrom: START - 2 * MINUTE },
    );
    expect(verdictWith({ pods }, change)).toMatchObject({
      verdict: "Caused",
      finding: "new pods 23% vs old pods 0.2%: caused by revision 6, which revision 7 did not mend",
    });
  });

  it("waits for what the live one does about it", () => {
    const change = { previous: [six], onset: START - MINUTE, healthyAt: START - MINUTE - 15_000 };
    expect(verdictWith({}, { ...change, now: START + 2 * MINUTE })).toMatchObject({
      verdict: "Unknown",
      finding: "it is not known yet whether revision 7, which came later, mends it",
    });
    const six_ = { hash: "h6", from: -90, to: 210, share: BAD };
    const mended = podEvidence([six_, six_, { ...NEW, share: GOOD }]);
    expect(verdictWith({ pods: mended }, change).verdict).toBe("Unknown");
    const unseen = podEvidence([six_, six_, { ...NEW, total: 5 }]);
    expect(verdictWith({ pods: unseen }, change).verdict).toBe("Unknown");
  });

  it("blames the earlier one when its pods are as bad, although the breach was seen later", () => {
    const lives = [NEW, NEW, { ...OLD, share: BAD }, { ...OLD, share: BAD }];
    const found = verdictWith({ pods: podEvidence(lives) }, { previous: [six] });
    expect(found).toMatchObject({ verdict: "Likely", cause: six });
    // Known good, its pods show that something else broke.
    expect(verdictWith({ pods: podEvidence(lives) }).verdict).toBe("Unknown");
  });

  it("blames the live one when the earlier one is well", () => {
    const found = verdictWith({ pods: podEvidence([NEW, NEW, OLD]) }, { previous: [six] });
    expect(found).toMatchObject({ verdict: "Caused", finding: expect.stringContaining("by revision 7") });
    expect(found.cause).toBeUndefined();
  });

  it("does not blame one that is older than the lookback", () => {
    const old = { ...six, startedAt: START - 2 * HOUR };
    const found = verdictWith({}, { previous: [old], onset: START - MINUTE });
    expect(found.verdict).toBe("Unlikely");
  });

  it("takes no breach of an earlier suspect for a noisy past", () => {
    const past = pastEvidence((at) => (at >= six.startedAt && at < START ? { verdict: "Breach" } : {}));
    expect(verdictWith({ past: { ...past, forMs: 0 } }, { previous: [six] }).verdict).toBe("Likely");
  });
});

describe("always", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const life = fc.record({
    hash: fc.constantFrom("h7", "h6", "h5"),
    from: fc.integer({ min: -10, max: 8 }).map((n) => n * 15),
    to: fc.integer({ min: 2, max: 14 }).map((n) => n * 15),
    total: fc.nat(400),
    share: share.map((value) => () => value),
  });
  const pods = fc.array(life, { maxLength: 8 }).map((lives) => podEvidence(lives));
  const past = fc
    .array(fc.integer({ min: 0, max: 1500 }), { maxLength: 60 })
    .map((bad) =>
      pastEvidence((at) => (bad.includes(Math.round((BASE.now - at) / MINUTE)) ? { verdict: "Breach" } : {})),
    );
  const scope = fc.record({
    others: fc.nat(30),
    from: fc.constant(ONSET - 300_000),
    togetherMs: fc.constant(MINUTE),
    breaching: fc.array(
      fc.record({ name: fc.string(), since: fc.integer({ min: ONSET - 300_000, max: ONSET + 120_000 }) }),
      { maxLength: 5 },
    ),
  });
  const evidence: fc.Arbitrary<Evidence> = fc.record(
    { pods, past, scope, failed: fc.string() },
    { requiredKeys: [] },
  );

  it("is Caused only where old and new pods were seen side by side", () => {
    fc.assert(
      fc.property(evidence, (all) => {
        const { pods: _, ...rest } = all;
        expect(verdictWith(rest).verdict).not.toBe("Caused");
        if (all.pods !== undefined) {
          const alone = { ...all.pods, pods: all.pods.pods.filter(({ hash }) => hash === "h7") };
          expect(verdictWith({ ...all, pods: alone }).verdict).not.toBe("Caused");
        }
      }),
    );
  });

  it("is never Likely when something could not be read", () => {
    fc.assert(
      fc.property(evidence, fc.string(), (all, failed) => {
        expect(verdictWith({ ...all, failed }).verdict).not.toBe("Likely");
      }),
    );
  });

  it("keeps a proof whatever else is known", () => {
    fc.assert(
      fc.property(evidence, (all) => {
        expect(verdictWith({ ...all, pods: podEvidence([NEW, NEW, OLD]) }).verdict).toBe("Caused");
      }),
    );
  });

  it("never turns a proof around when the new pods get worse", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.2, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 0.05, noNaN: true }),
        share,
        (bad, good, more) => {
          const old = { ...OLD, share: () => good };
          const worse = Math.max(bad, more);
          expect(withPods([{ ...NEW, share: () => bad }, NEW, old]).verdict).toBe("Caused");
          expect(withPods([{ ...NEW, share: () => worse }, NEW, old]).verdict).toBe("Caused");
        },
      ),
    );
  });

  it("asks for the same times with any evidence: outside them nothing blames the release", () => {
    fc.assert(
      fc.property(evidence, (all) => {
        expect(verdictWith(all, { onset: START - 1 }).verdict).toBe("Unlikely");
        expect(verdictWith(all, { now: START + HOUR + 1 }).verdict).toBe("Unlikely");
        expect(verdictWith(all, { healthyAt: undefined }).verdict).toBe("Unknown");
      }),
    );
  });
});
