import { describe, expect, it } from "@jest/globals";
import type { Evidence } from "./evidence.ts";
import {
  BASE,
  HOUR,
  MINUTE,
  NEW,
  OLD,
  ONSET,
  pastEvidence,
  podEvidence,
  RELEASE,
  START,
  verdictWith,
} from "./testing/case.ts";

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
        past: pastEvidence((at) => {
          if (at >= ONSET) return { level: 0.6 };
          return at < START && at % HOUR < 10 * MINUTE ? { verdict: "Breach", level: 0.12 } : {};
        }),
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
    [0.08, 10, "Unknown", "it has come and gone around the threshold since 13:54"],
    [0.08, 3, "Likely", "likely caused by revision 7"],
    [0.03, 10, "Likely", "likely caused by revision 7"],
  ])("levels of %d between breaches of %d minutes", (between, minutes, verdict, words) => {
    const change = { onset: ONSET, release: { ...RELEASE, startedAt: START - 20 * MINUTE } };
    const past = pastEvidence((at) => {
      if (at >= ONSET) return {};
      const isFirst = at <= ONSET - minutes * MINUTE && at > ONSET - (minutes + 1) * MINUTE;
      if (isFirst) return { verdict: "Breach" as const, level: 0.12 };
      return at > ONSET - minutes * MINUTE ? { level: between } : {};
    });
    const found = verdictWith({ past }, change);
    expect([found.verdict, found.reason]).toEqual([verdict, expect.stringContaining(words)]);
  });

  it("does not count what a release did that was rolled back for it", () => {
    const evidence = { past: breaches(ago(1), ago(5), ago(9)) };
    const troubled = [1, 5, 9].map((hours) => ({ from: ago(hours)[0] - MINUTE, to: ago(hours)[1] }));
    expect(verdictWith(evidence, { troubled }).verdict).toBe("Likely");
    expect(verdictWith(evidence, { troubled: troubled.slice(0, 1) }).verdict).toBe("Unknown");
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

  it("says nothing of the load where requests are not counted", () => {
    const past = pastEvidence(() => ({ requests: undefined }));
    expect(verdictWith({ past })).toEqual(verdictWith({}));
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
