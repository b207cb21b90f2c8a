import { describe, expect, it } from "@jest/globals";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { Revision } from "../../workloads/revisions.ts";
import { clusterReleases } from "./cluster-releases.ts";

const START = Date.parse("2026-11-03T09:00:00Z");

function revision(number: number, createdAt: string, formerRevisions: readonly number[] = []): Revision {
  return {
    revision: number,
    formerRevisions,
    uid: `rs-${createdAt}`,
    name: `web-${number}`,
    podTemplateHash: `hash${createdAt}`,
    createdAt,
    changeCause: undefined,
    template: { metadata: {}, spec: { containers: [{ name: "app", image: `web:v${number}` }] } },
  };
}

function ledger(change: Partial<RollbackLedgerSpec>): RollbackLedgerSpec {
  return {
    target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
    releases: [],
    knownGood: [],
    marks: [],
    executed: [],
    automatic: [],
    ...change,
  };
}

const SIX = revision(6, "2026-11-01T08:00:00Z");
const SEVEN = revision(7, "2026-11-02T08:00:00Z");
/** The template of revision 5, deployed again. */
const EIGHT = revision(8, "2026-10-30T08:00:00Z", [5]);

function seen({ releases, notes }: ReturnType<typeof clusterReleases>) {
  return {
    releases: releases.map(({ revision: number, startedAt, isKnownGood, productOfRollback }) => [
      number,
      new Date(startedAt).toISOString().slice(0, 10),
      isKnownGood,
      productOfRollback?.request,
    ]),
    notes,
  };
}

describe("releases of a cluster", () => {
  it("begin with their ReplicaSets; when a template was deployed again, nobody knows without a ledger", () => {
    expect(seen(clusterReleases([EIGHT, SEVEN, SIX], undefined, START))).toEqual({
      releases: [
        [5, "2026-10-30", false, undefined],
        [6, "2026-11-01", false, undefined],
        [7, "2026-11-02", false, undefined],
      ],
      notes: ["revision 8 is an older template deployed again, and nobody saw when: left out"],
    });
  });

  it("are those of the ledger where it saw them, with what it knows of them", () => {
    const of = ({ uid, podTemplateHash }: Revision, number: number) => ({
      replicaSetUid: uid,
      podTemplateHash,
      revision: number,
    });
    const known = ledger({
      releases: [
        { targetUid: "web", ...of(SEVEN, 7), startedAt: "2026-11-02T08:00:01Z" },
        { targetUid: "web", ...of(EIGHT, 8), startedAt: "2026-11-02T09:00:00Z", rollbackBy: "web-undo" },
      ],
      knownGood: [
        { ...of(SIX, 6), since: "2026-11-01T09:00:00Z", evidence: "baked" },
        { ...of(EIGHT, 8), since: "2026-11-03T10:00:00Z", evidence: "baked after the replay begins" },
      ],
    });
    expect(seen(clusterReleases([EIGHT, SEVEN, SIX], known, START))).toEqual({
      releases: [
        [5, "2026-10-30", false, undefined],
        [6, "2026-11-01", true, undefined],
        [7, "2026-11-02", false, undefined],
        [8, "2026-11-02", false, "web-undo"],
      ],
      notes: [],
    });
  });

  it("says when none is old enough", () => {
    const { notes } = clusterReleases([revision(9, "2026-11-20T08:00:00Z")], undefined, START);
    expect(notes[0]).toContain("no release is known that ran when the range begins");
  });
});
