import { describe, expect, it } from "@jest/globals";
import { warningsForPeople, type PeopleInput } from "./people.ts";

const NOW = Date.parse("2026-03-02T14:00:00Z");

const CALM: PeopleInput = {
  now: NOW,
  policy: { settleMs: 60_000, cooldownMs: 1_800_000, maxPerDay: 2 },
  severity: undefined,
  release: { replicaSetUid: "u", revision: 7, podTemplateHash: "h", startedAt: NOW - 600_000 },
  ledger: { automaticRollbacks: [] },
  cluster: { automaticRollbacks: [], maxPerTenMinutes: 5 },
  openFreezes: [],
};
const WEEKEND = { name: "weekend", until: NOW + 3_600_000, allow: ["SEV1"] } as const;

describe("what a person is told before a rollback", () => {
  it("is nothing while nothing would hold an automatic one", () => {
    expect(warningsForPeople(CALM)).toEqual([]);
    expect(warningsForPeople({ ...CALM, release: undefined })).toEqual([]);
  });

  it.each<readonly [string, Partial<PeopleInput>, RegExp]>([
    [
      "a release that is seconds old",
      { release: { ...CALM.release!, startedAt: NOW - 5_000 } },
      /\(Settling\): revision 7 started/,
    ],
    [
      "a freeze window",
      { openFreezes: [WEEKEND] },
      /\(Frozen\): inside the freeze window "weekend", which only SEV1 may break/,
    ],
    [
      "the cool-down",
      { ledger: { automaticRollbacks: [NOW - 60_000] } },
      /\(Cooldown\): automatic rollback at/,
    ],
    [
      "the budget",
      { ledger: { automaticRollbacks: [NOW - 7_200_000, NOW - 3_600_000] } },
      /\(BudgetSpent\): 2 automatic rollbacks of this target in the last 24h/,
    ],
    [
      "many rollbacks in the cluster",
      { cluster: { automaticRollbacks: Array.from({ length: 5 }, () => NOW - 1_000), maxPerTenMinutes: 5 } },
      /\(BlastRadius\): 5 automatic rollbacks in the cluster/,
    ],
  ])("tells of %s", (_, change, words) => {
    expect(warningsForPeople({ ...CALM, ...change })).toEqual([
      expect.stringMatching(new RegExp(`^an automatic rollback would be held ${words.source}`)),
    ]);
  });

  it("leaves out a freeze window that the severity may break", () => {
    expect(warningsForPeople({ ...CALM, openFreezes: [WEEKEND], severity: "SEV1" })).toEqual([]);
    expect(warningsForPeople({ ...CALM, openFreezes: [WEEKEND], severity: "SEV2" })).toHaveLength(1);
  });

  it("tells of everything at once", () => {
    const all = {
      ...CALM,
      openFreezes: [WEEKEND],
      ledger: { automaticRollbacks: [NOW - 60_000, NOW - 90_000] },
    };
    expect(warningsForPeople(all)).toHaveLength(3);
  });
});
