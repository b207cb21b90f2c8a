import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { WorkloadTo } from "../../crds/steps.ts";
import { hashOf, historyOf, type Release } from "../../workloads/testing/history.ts";
import { chooseRevision, type Choice } from "./choose.ts";

const EMPTY: RollbackLedgerSpec = {
  target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
  releases: [],
  knownGood: [],
  marks: [],
  executed: [],
  automatic: [],
};
const AT = "2026-01-01T00:00:00Z";
const RELEASES: readonly Release[] = [
  { revision: 1, image: "web:v1" },
  { revision: 2, image: "web:v2" },
  { revision: 3, image: "web:v3" },
];

const idOf = (release: Release) => ({
  replicaSetUid: `uid-${hashOf(release)}`,
  podTemplateHash: hashOf(release),
  revision: release.revision,
});
const mark = (release: Release) => ({ ...idOf(release), at: AT, request: "undo-1", reason: "5xx" });
const good = (release: Release) => ({ ...idOf(release), since: AT, evidence: "e" });
const product = (release: Release) => ({
  ...idOf(release),
  targetUid: "deployment-uid",
  rollbackBy: "undo-1",
});

function choose(
  to: WorkloadTo,
  ledger: Partial<RollbackLedgerSpec> = {},
  releases = RELEASES,
  automatic = false,
): Choice {
  const revisions = historyOf(releases);
  return chooseRevision({
    to,
    revisions,
    live: revisions[0]!,
    ledger: { ...EMPTY, ...ledger },
    revisionHistoryLimit: 10,
    automatic,
  });
}

const [v1, v2, v3] = RELEASES as readonly [Release, Release, Release];

describe("the revision to go back to", () => {
  it.each<readonly [string, WorkloadTo, Partial<RollbackLedgerSpec>, number, readonly string[]]>([
    ["Previous: the newest older one", { strategy: "Previous" }, {}, 2, []],
    [
      "Previous: not one that was rolled back",
      { strategy: "Previous" },
      { marks: [mark(v2)] },
      1,
      ["revision 2 is skipped: rolled back by undo-1"],
    ],
    ["LastKnownGood: the newest good one", { strategy: "LastKnownGood" }, { knownGood: [good(v1)] }, 1, []],
    [
      "LastKnownGood: never one that was rolled back since",
      { strategy: "LastKnownGood" },
      { knownGood: [good(v1), good(v2)], marks: [mark(v2)] },
      1,
      ["revision 2 is skipped: rolled back by undo-1"],
    ],
    [
      "LastKnownGood without a record, for a person",
      { strategy: "LastKnownGood" },
      {},
      2,
      ["no revision is recorded as known good; revision 2 is the newest older one"],
    ],
    ["by number", { revision: 1 }, {}, 1, []],
    [
      "by number, rolled back before: a person may, and is told",
      { revision: 1 },
      { marks: [mark(v1)] },
      1,
      ["revision 1 was itself rolled back by undo-1: 5xx"],
    ],
    ["by number, though live is a product", { revision: 1 }, { releases: [product(v3)] }, 1, []],
  ])("%s", (_, to, ledger, revision, warnings) => {
    expect(choose(to, ledger)).toMatchObject({ kind: "Chosen", revision: { revision }, warnings });
  });

  it("is none for the product of a rollback that was only restarted since, but for a later release", () => {
    const restarts = [4, 5].map((revision) => ({
      ...v3,
      revision,
      annotations: { "kubectl.kubernetes.io/restartedAt": `2026-01-0${revision}T00:00:00Z` },
    }));
    const ledger = { releases: [product(v3)], knownGood: [good(v1)] };
    const later = { revision: 6, image: "web:v6" };

    expect(choose({ strategy: "LastKnownGood" }, ledger, [...RELEASES, ...restarts])).toMatchObject({
      kind: "NothingToDo",
    });
    expect(choose({ strategy: "LastKnownGood" }, ledger, [...RELEASES, ...restarts, later])).toMatchObject({
      kind: "Chosen",
      revision: { revision: 1 },
    });
  });

  it("is none for the product of a rollback, whichever strategy", () => {
    for (const strategy of ["Previous", "LastKnownGood"] as const) {
      expect(choose({ strategy }, { releases: [product(v3)], knownGood: [good(v1)] })).toEqual({
        kind: "NothingToDo",
        message: "already rolled back by undo-1; name a revision to go further",
      });
    }
    // The same ReplicaSet deployed again on purpose is a new release.
    const again = { ...product(v3), revision: 2 };
    expect(choose({ strategy: "Previous" }, { releases: [again] }).kind).toBe("Chosen");
  });

  it("is never guessed for an automatic request", () => {
    expect(choose({ strategy: "LastKnownGood" }, {}, RELEASES, true)).toMatchObject({
      kind: "Refused",
      reason: "NoKnownGoodRevision",
    });
  });

  it("skips restarts of the live code", () => {
    const restarted = {
      revision: 4,
      image: "web:v3",
      annotations: { "kubectl.kubernetes.io/restartedAt": "x" },
    };

    expect(choose({ strategy: "Previous" }, {}, [...RELEASES, restarted])).toMatchObject({
      revision: { revision: 2 },
      warnings: ["revision 3 is skipped: it is the live template before a restart"],
    });
  });

  it.each<readonly [string, WorkloadTo, readonly Release[], string, string]>([
    ["trimmed", { revision: 1 }, [v2, v3], "RevisionNotFound", "(kept: 2, 3; revisionHistoryLimit 10)"],
    [
      "renumbered",
      { revision: 1 },
      [v2, { ...v1, revision: 4, history: "1" }, { revision: 5, image: "web:v5" }],
      "RevisionNotFound",
      "revision 1 is now revision 4",
    ],
    ["alone", { strategy: "Previous" }, [v1], "NoRevision", "the history holds only the live one"],
  ])("refuses what is %s and says what there is", (_, to, releases, reason, message) => {
    expect(choose(to, {}, releases)).toEqual({
      kind: "Refused",
      reason,
      message: expect.stringContaining(message),
    });
  });

  it("knows former numbers from the ledger where the history keeps none, as of ControllerRevisions", () => {
    const moved = { ...v1, revision: 4 };
    const releases = [v2, moved, { revision: 5, image: "web:v5" }];

    for (const ledger of [
      { releases: [{ ...product(v1), rollbackBy: undefined }] },
      { knownGood: [good(v1)] },
      { marks: [mark(v1)] },
    ]) {
      expect(choose({ revision: 1 }, ledger as Partial<RollbackLedgerSpec>, releases)).toMatchObject({
        reason: "RevisionNotFound",
        message: expect.stringContaining("revision 1 is now revision 4"),
      });
    }
    expect(choose({ revision: 1 }, {}, releases)).toMatchObject({
      message: expect.stringContaining("kept: 2, 4, 5"),
    });
  });

  it("says where a renumbered revision is that is live", () => {
    const back = { ...v1, revision: 4, history: "1" };

    expect(choose({ revision: 1 }, {}, [v2, v3, back])).toEqual({
      kind: "NothingToDo",
      message: "revision 1 is live already, as revision 4",
    });
  });

  it("is never the live one, never marked, and older, whatever the history and the ledger", () => {
    const release = fc.record({ image: fc.constantFrom("web:a", "web:b", "web:c", "web:d", "web:e") });
    const history = fc.uniqueArray(release, { selector: ({ image }) => image, minLength: 1 });
    const subset = fc.func(fc.boolean());
    const strategy = fc.constantFrom("Previous" as const, "LastKnownGood" as const);
    fc.assert(
      fc.property(history, subset, subset, strategy, fc.boolean(), (images, isMarked, isGood, how, auto) => {
        const releases = images.map(({ image }, index) => ({ image, revision: index + 1 }));
        const marks = releases.filter((each) => isMarked(each.image)).map(mark);
        const knownGood = releases.filter((each) => isGood(each.image)).map(good);

        const choice = choose({ strategy: how }, { marks, knownGood }, releases, auto);

        if (choice.kind !== "Chosen") return;
        expect(choice.revision.revision).toBeLessThan(releases.length);
        expect(marks.map(({ revision }) => revision)).not.toContain(choice.revision.revision);
        if (auto && how === "LastKnownGood") {
          expect(knownGood.map(({ revision }) => revision)).toContain(choice.revision.revision);
        }
      }),
    );
  });
});
