import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Evidence } from "./evidence.ts";
import {
  BAD,
  BASE,
  GOOD,
  HOUR,
  MINUTE,
  NEW,
  OLD,
  ONSET,
  pastEvidence,
  podEvidence,
  START,
  verdictWith,
  withPods,
} from "./testing/case.ts";

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
