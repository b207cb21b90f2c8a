import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { LedgerExecuted, LedgerMark, LedgerRelease } from "../../crds/rollback-ledger.ts";
import { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import {
  recordExecuted,
  recordKnownGood,
  recordMark,
  recordOutcome,
  recordRelease,
  recordRollback,
} from "./changes.ts";
import { emptyLedger } from "./ledger.ts";

const EMPTY = emptyLedger({ group: "apps", kind: "Deployment", namespace: "shop", name: "web" });
const AT = "2026-01-01T00:00:00Z";

const id = fc.nat({ max: 120 }).map(String);
const revision = fc.integer({ min: 1, max: 5 });
const change = fc.oneof(
  fc.record({ name: id, uid: id }).map(({ name, uid }) => {
    const entry: LedgerExecuted = { name: `r${name}`, uid, specDigest: "d", at: AT, outcome: "Started" };
    return (ledger: RollbackLedgerSpec) => recordExecuted(ledger, entry);
  }),
  id.map((uid) => (ledger: RollbackLedgerSpec) => recordOutcome(ledger, uid, "Succeeded", "RolledBack")),
  fc.record({ uid: id, request: id }).map(({ uid, request }) => {
    const mark: LedgerMark = {
      replicaSetUid: uid,
      podTemplateHash: "h",
      revision: 1,
      at: AT,
      request: `r${request}`,
      reason: "",
    };
    return (ledger: RollbackLedgerSpec) => recordMark(ledger, mark);
  }),
  fc.record({ uid: id, revision, started: fc.boolean(), by: fc.boolean() }).map((of) => {
    const release: LedgerRelease = {
      targetUid: "t",
      replicaSetUid: of.uid,
      podTemplateHash: "h",
      revision: of.revision,
      ...(of.started ? { startedAt: AT } : {}),
      ...(of.by ? { rollbackBy: "r1" } : {}),
    };
    return (ledger: RollbackLedgerSpec) => recordRelease(ledger, release);
  }),
  id.map((uid) => (ledger: RollbackLedgerSpec) => {
    const known = ledger.knownGood.some(({ replicaSetUid }) => replicaSetUid === uid);
    return known
      ? ledger
      : recordKnownGood(ledger, {
          replicaSetUid: uid,
          podTemplateHash: "h",
          revision: 1,
          since: AT,
          evidence: "",
        });
  }),
);

describe("changes of a ledger", () => {
  it("repeated are no change at all, and write nothing", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), change, (changes, last) => {
        const once = last(changes.reduce((ledger, each) => each(ledger), EMPTY));

        expect(last(once)).toBe(once);
      }),
    );
  });

  it("keep every list within what the API server takes", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 200, maxLength: 400 }), (changes) => {
        const ledger = changes.reduce((before, each) => each(before), EMPTY);

        expect(RollbackLedgerSpec.safeParse(ledger).success).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("bound the executed requests and drop the oldest", () => {
    let ledger = EMPTY;
    for (let n = 0; n < 1_010; n += 1) {
      ledger = recordExecuted(ledger, {
        name: "r",
        uid: `u${n}`,
        specDigest: "d",
        at: AT,
        outcome: "Started",
      });
    }

    expect(ledger.executed).toHaveLength(1_000);
    expect(ledger.executed[0]?.uid).toBe("u10");
  });

  it("fill in what was missing of a release and never forget what was known", () => {
    const seen: LedgerRelease = { targetUid: "t", replicaSetUid: "a", podTemplateHash: "h", revision: 2 };
    const first = recordRelease(EMPTY, { ...seen, startedAt: AT });
    const second = recordRelease(first, { ...seen, startedAt: "2027-01-01T00:00:00Z", rollbackBy: "undo" });

    expect(second.releases).toEqual([{ ...seen, startedAt: AT, rollbackBy: "undo" }]);
    expect(recordRelease(second, seen)).toBe(second);
  });

  it("give an outcome only to a request that acted", () => {
    expect(recordOutcome(EMPTY, "nobody", "Failed", "Refused")).toBe(EMPTY);
  });
});

describe("a rollback in the ledger", () => {
  const ref = (revision: number, hash: string) => ({
    revision,
    name: `web-${hash}`,
    uid: `uid-${hash}`,
    podTemplateHash: hash,
    images: [],
  });
  const back = {
    targetUid: "t",
    from: ref(2, "bad"),
    after: ref(3, "good"),
    at: AT,
    request: "undo",
    reason: "5xx",
  };

  it("marks the revision that was left and records its product", () => {
    const ledger = recordRollback(EMPTY, back);

    expect(ledger.marks).toMatchObject([{ replicaSetUid: "uid-bad", request: "undo" }]);
    expect(ledger.releases).toMatchObject([{ replicaSetUid: "uid-good", revision: 3, rollbackBy: "undo" }]);
  });

  it("remembers the number that the product had before", () => {
    const ledger = recordRollback(EMPTY, { ...back, formerly: 1 });

    expect(ledger.releases.map(({ replicaSetUid, revision: number }) => [replicaSetUid, number])).toEqual([
      ["uid-good", 1],
      ["uid-good", 3],
    ]);
    expect(recordRollback(ledger, { ...back, formerly: 1 })).toEqual(ledger);
  });

  it("is not marked again by its way back, which leaves the good version", () => {
    const forth = { ...back, from: ref(3, "good"), after: ref(4, "bad"), request: "forth" };
    const ledger = recordRollback(recordRollback(EMPTY, back), forth);

    expect(ledger.marks.map(({ replicaSetUid }) => replicaSetUid)).toEqual(["uid-bad"]);
  });

  it("is known as the product of the request that took its own step back, and marks nothing", () => {
    // The step that is undone was never recorded: its revision had no number yet.
    const undo = { ...back, from: ref(1, "good"), after: ref(4, "bad"), isUndo: true };
    const ledger = recordRollback(EMPTY, undo);

    expect(ledger.marks).toEqual([]);
    expect(ledger.releases).toMatchObject([{ replicaSetUid: "uid-bad", revision: 4, rollbackBy: "undo" }]);
  });

  it("marks the product of a rollback when it is left for an older revision", () => {
    const further = { ...back, from: ref(3, "good"), after: ref(4, "older"), request: "further" };
    const ledger = recordRollback(recordRollback(EMPTY, back), further);

    expect(ledger.marks.map(({ replicaSetUid }) => replicaSetUid)).toEqual(["uid-bad", "uid-good"]);
  });
});
