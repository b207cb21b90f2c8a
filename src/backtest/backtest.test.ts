import { describe, expect, it } from "@jest/globals";
import type { Evidence, EvidenceQuestion } from "../decision/attribution/evidence.ts";
import type { Row } from "../decision/row.ts";
import type { Reading } from "../decision/sample.ts";
import { backtest } from "./backtest.ts";
import type { PastRelease } from "./past-release.ts";
import { breachTimes, savedMs, type BacktestReport } from "./report.ts";
import { CRITICAL, pastPolicy, release, STEP, T0, value, type Course } from "./testing/past-policy.ts";

const OK = value(0.001);
const BAD = value(0.5);
const NOTHING: Reading = { kind: "NoData", detail: "gone" };
const PROPOSE: Row = { ...CRITICAL, name: "elevated", threshold: 0.05, action: "Propose" };
const NOTIFY: Row = { ...CRITICAL, name: "told", threshold: 0.02, action: "Notify" };

function times<T>(count: number, item: T): readonly T[] {
  return Array.from({ length: count }, () => item);
}

interface Change {
  readonly rows?: readonly Row[];
  readonly start?: number;
  readonly rehydrateMs?: number;
  readonly evidence?: Course["evidence"];
}

async function run(
  readings: readonly Reading[],
  releases: readonly PastRelease[],
  { rows, start = 0, rehydrateMs = 0, evidence }: Change = {},
): Promise<BacktestReport> {
  const course = { readings, ...(evidence === undefined ? {} : { evidence }) };
  return backtest(
    {
      compiled: pastPolicy(course, rows, { rehydrateMs }),
      namespace: "shop",
      target: { uid: "web", name: "web" },
      releases,
      start: T0 + start * STEP,
      end: T0 + (readings.length - 1) * STEP,
    },
    new AbortController().signal,
  );
}

function told({ decisions }: BacktestReport) {
  return decisions.map(({ at, action, release: live, to, holdReason }) => ({
    tick: (at - T0) / STEP,
    action,
    revision: live?.revision,
    ...(to === undefined ? {} : { to }),
    ...(holdReason === undefined ? {} : { holdReason }),
  }));
}

/** New pods fail everything, old ones nothing, in the same intervals. */
function sideBySide({ onset, at, release: live, otherHashes }: EvidenceQuestion): Evidence {
  const pod = (hash: string, index: number, bad: number) => ({
    pod: `web-${hash}-${index}`,
    hash,
    intervals: [0, 1, 2, 3, 4, 5].map((step) => ({ at: onset + step * STEP, bad: 200 * bad, total: 200 })),
  });
  return {
    pods: {
      limit: 0.05,
      breachFrom: onset,
      begunUntil: at,
      until: at,
      stepMs: STEP,
      pods: [0, 1, 2].flatMap((index) => [
        pod(live.podTemplateHash, index, 1),
        ...otherHashes.map((hash) => pod(hash, index, 0)),
      ]),
    },
  };
}

/** Eleven minutes of health bake revision 7; then revision 8 comes and breaks. */
const BAKED = times(45, OK);
const SEVEN = release(7, -10);
const EIGHT = release(8, 45);

describe("backtest", () => {
  it("rolls back what the operator would have: known good is earned by baking, the breach is measured to its end", async () => {
    const report = await run([...BAKED, OK, ...times(20, BAD), OK, OK], [SEVEN, EIGHT]);
    expect(told(report)).toEqual([{ tick: 50, action: "Rollback", revision: 8, to: 7 }]);
    expect(report.knownGood).toEqual([7]);
    const [decision] = report.decisions;
    expect(decision?.reason).toContain(
      "error-rate 50% > 10% for 1m since 09:11:30, 15s after revision 8 started",
    );
    expect(decision && breachTimes(decision, report.end)).toEqual({
      inReality: 20 * STEP,
      here: 4 * STEP,
      isOver: true,
    });
    expect(savedMs(report)).toBe(16 * STEP);
    expect(report.samples).toMatchObject({ Ok: 48, Breach: 20, NoData: 0 });
    expect(report.releases).toBe(1);
  });

  it("does nothing without a known good revision, and says so", async () => {
    const young = release(7, 30);
    const report = await run([...BAKED, OK, ...times(10, BAD)], [young, EIGHT]);
    expect(told(report)).toEqual([
      { tick: 50, action: "Held", revision: 8, holdReason: "NoKnownGoodRevision" },
    ]);
    expect(report.decisions[0]?.recoveredAt).toBeUndefined();
  });

  it("takes known good from the history that it is given", async () => {
    const young = release(7, 30, { isKnownGood: true });
    const report = await run([...BAKED, OK, ...times(10, BAD)], [young, EIGHT]);
    expect(told(report)).toEqual([{ tick: 50, action: "Rollback", revision: 8, to: 7 }]);
  });

  it("a release that would be gone is gone until the next one: its breach is nobody else's", async () => {
    const nine = release(9, 60);
    const report = await run([...BAKED, OK, ...times(40, BAD)], [SEVEN, EIGHT, nine]);
    expect(told(report)).toEqual([{ tick: 50, action: "Rollback", revision: 8, to: 7 }]);
  });

  it("the next release is judged anew once its signals were well, and does not go back to what was rolled back", async () => {
    const nine = release(9, 60);
    const readings = [...BAKED, OK, ...times(14, BAD), ...times(130, OK), ...times(10, BAD)];
    const report = await run(readings, [SEVEN, EIGHT, nine]);
    // Half an hour of cool-down is over at tick 170, and revision 9 has baked by then: time speaks against it no more.
    expect(told(report)[1]).toMatchObject({ revision: 9, action: "Rollback", to: 7 });
  });

  it("what breached before the release is not laid to it", async () => {
    const report = await run([...BAKED, ...times(10, BAD)], [SEVEN, release(8, 47)]);
    expect(report.decisions.map(({ attribution }) => attribution)).toEqual(["Unlikely"]);
    expect(told(report)).toEqual([{ tick: 49, action: "Held", revision: 8, holdReason: "Unattributed" }]);
  });

  it("proposes where the cause cannot be read", async () => {
    const report = await run([...BAKED, OK, ...times(10, BAD)], [SEVEN, EIGHT], {
      evidence: () => ({ failed: "timeout" }),
    });
    expect(told(report)).toEqual([{ tick: 50, action: "Propose", revision: 8, to: 7 }]);
    expect(report.decisions[0]?.reason).toContain("proposed instead of done");
  });

  it("looks into the cause of every part before it acts on one", async () => {
    const asked: string[] = [];
    const split: Reading = {
      kind: "Split",
      parts: new Map([
        ["route=/a", BAD],
        ["route=/b", BAD],
      ]),
    };
    const well: Reading = {
      kind: "Split",
      parts: new Map([
        ["route=/a", OK],
        ["route=/b", OK],
      ]),
    };
    const report = await run([...times(45, well), well, ...times(10, split)], [SEVEN, EIGHT], {
      evidence({ part, otherHashes, release: live }) {
        asked.push(part);
        expect({ otherHashes, live: live.podTemplateHash }).toEqual({
          otherHashes: ["hash7"],
          live: "hash8",
        });
        return { failed: "timeout" };
      },
    });
    expect(told(report)).toEqual([{ tick: 50, action: "Propose", revision: 8, to: 7 }]);
    expect(new Set(asked)).toEqual(new Set(["route=/a", "route=/b"]));
  });

  it("tells the same once, and again after a recovery", async () => {
    const readings = [...BAKED, ...times(10, value(0.03)), OK, ...times(10, value(0.03))];
    const report = await run(readings, [SEVEN], { rows: [NOTIFY] });
    expect(told(report).map(({ tick, action }) => [tick, action])).toEqual([
      [49, "Notify"],
      [60, "Notify"],
    ]);
  });

  it("a proposal waits; what is sure then is still done", async () => {
    const readings = [...BAKED, OK, ...times(10, value(0.07)), ...times(10, BAD)];
    const report = await run(readings, [SEVEN, EIGHT], { rows: [CRITICAL, PROPOSE] });
    expect(told(report)).toEqual([
      { tick: 50, action: "Propose", revision: 8, to: 7 },
      { tick: 60, action: "Rollback", revision: 8, to: 7 },
    ]);
  });

  it("a proposal runs when its time comes, where the release is the proven cause", async () => {
    const readings = [...BAKED, OK, ...times(20, value(0.07))];
    const rows = [{ ...PROPOSE, runAfterMs: 2 * 60_000 }];
    const asked = await run(readings, [SEVEN, EIGHT], { rows });
    // Time alone makes it likely, not proven.
    expect(told(asked)).toEqual([{ tick: 50, action: "Propose", revision: 8, to: 7 }]);
    const proven = await run(readings, [SEVEN, EIGHT], { rows, evidence: sideBySide });
    expect(told(proven)).toEqual([
      { tick: 50, action: "Propose", revision: 8, to: 7 },
      { tick: 58, action: "Rollback", revision: 8, to: 7 },
    ]);
    expect(proven.decisions[1]?.reason).toContain("proposed 2m before, and nobody denied it");
  });

  it("each release is asked about anew", async () => {
    const readings = [...BAKED, OK, ...times(20, value(0.07))];
    const nine = release(9, 46);
    const report = await run(readings, [SEVEN, release(8, 45), nine], { rows: [PROPOSE] });
    expect(told(report).map(({ revision }) => revision)).toEqual([9]);
  });

  it("missing data fires nothing and bakes nothing", async () => {
    const report = await run([...times(20, OK), ...times(60, NOTHING)], [SEVEN, release(8, 20)]);
    expect(report.decisions).toEqual([]);
    expect(report.knownGood).toEqual([]);
    expect(report.samples).toMatchObject({ Ok: 20, NoData: 60 });
  });

  it("windows are filled from before the range, but nothing is decided there", async () => {
    const readings = [...BAKED, OK, ...times(20, BAD)];
    const report = await run(readings, [SEVEN, EIGHT], { start: 55, rehydrateMs: 55 * STEP });
    expect(told(report)).toEqual([{ tick: 55, action: "Rollback", revision: 8, to: 7 }]);
    expect(report.samples).toMatchObject({ Ok: 0, Breach: 11 });
  });

  it("gives the same in one stretch and in many", async () => {
    const long = [
      ...BAKED,
      OK,
      ...times(20, BAD),
      ...times(1_500, OK),
      ...times(5, NOTHING),
      ...times(900, OK),
    ];
    const report = await run(long, [SEVEN, EIGHT]);
    expect(told(report)).toEqual([{ tick: 50, action: "Rollback", revision: 8, to: 7 }]);
    expect(report.samples).toMatchObject({ Ok: 2_446, Breach: 20, NoData: 5 });
  });

  it("leaves out a signal whose history nobody keeps", async () => {
    const compiled = pastPolicy({ readings: [] });
    const report = await backtest(
      {
        compiled: {
          ...compiled,
          signals: [
            {
              name: "error-rate",
              source: {
                unit: "count",
                read: async () => OK,
                readPast: async () => ({ kind: "NoMemory" }),
              },
            },
          ],
        },
        namespace: "shop",
        target: { uid: "web", name: "web" },
        releases: [SEVEN],
        start: T0,
        end: T0 + 10 * STEP,
      },
      new AbortController().signal,
    );
    expect(report.notes).toEqual(["signal error-rate is left out: nobody keeps its history"]);
    expect(report.decisions).toEqual([]);
  });

  it("says that a range is too short", async () => {
    await expect(run([], [])).rejects.toThrow("the range is shorter than one interval of the policy");
  });
});
