import { describe, expect, it } from "@jest/globals";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { revisionsOf } from "../../workloads/revisions.ts";
import { deploymentOf, replicaSetOf, type Release } from "../../workloads/testing/history.ts";
import { conditionOf, PLAN, requestOf, TIMELINE } from "../testing/requests.ts";
import { historyOf } from "./history.ts";
import { rowsOf } from "./revisions.ts";

const RELEASES: readonly Release[] = [
  { revision: 1, image: "web:v1" },
  { revision: 2, image: "web:v2" },
  { revision: 3, image: "web:v3", changeCause: "release of Monday" },
];

function workload() {
  const deployment = deploymentOf(RELEASES);
  return {
    kind: "Deployment" as const,
    object: deployment,
    revisions: revisionsOf(deployment, RELEASES.map(replicaSetOf)),
  };
}

function ledger(facts: Partial<RollbackLedgerSpec> = {}): RollbackLedgerSpec {
  const target = { group: "apps", kind: "Deployment", namespace: "shop", name: "web" };
  return { target, releases: [], knownGood: [], marks: [], executed: [], automatic: [], ...facts };
}

describe("revisions", () => {
  it("names the revision that each strategy would choose", () => {
    const [, two, one] = workload().revisions;
    const since = "2026-06-01T09:00:00Z";
    const knownGood = [one].map((good) => ({
      replicaSetUid: good?.uid ?? "",
      podTemplateHash: good?.podTemplateHash ?? "",
      revision: 1,
      since,
      evidence: "",
    }));
    const rows = rowsOf(workload(), ledger({ knownGood }));
    expect(
      rows.map(({ revision, live, chosenBy, knownGoodSince }) => [revision, live, chosenBy, knownGoodSince]),
    ).toEqual([
      [3, true, [], undefined],
      [2, false, ["previous"], undefined],
      [1, false, ["last-known-good"], since],
    ]);
    expect(rows[0]?.changeCause).toBe("release of Monday");
    expect(two?.revision).toBe(2);
  });

  it("marks what was rolled back, which no strategy chooses again", () => {
    const bad = workload().revisions[1];
    const marks = [
      {
        replicaSetUid: bad?.uid ?? "",
        podTemplateHash: "",
        revision: 2,
        at: "",
        request: "undo-1",
        reason: "5xx",
      },
    ];
    const rows = rowsOf(workload(), ledger({ marks }));
    expect(rows[1]).toMatchObject({
      revision: 2,
      rolledBackBy: "undo-1",
      rolledBackBecause: "5xx",
      chosenBy: [],
    });
    expect(rows[2]?.chosenBy).toEqual(["last-known-good", "previous"]);
  });
});

describe("history", () => {
  const ready = [conditionOf("Ready", "True", "RolledBack")];
  const acted = requestOf({
    phase: "Succeeded",
    plan: PLAN,
    steps: [{ name: "app", state: "Succeeded", appliedAt: TIMELINE.applied }],
    timeline: TIMELINE,
    conditions: ready,
  });

  it("holds what was stored in the cluster, not what was refused or only planned", () => {
    const planned = requestOf({ phase: "Succeeded", plan: PLAN, conditions: ready }, { dryRun: true });
    expect(historyOf([planned, acted], [])).toEqual([
      {
        at: "2026-06-01T10:00:00Z",
        object: "shop/web",
        from: "v1.2.3",
        to: "v1.2.2",
        reason: "INC-231 5xx",
        request: "web-undo-x7k2p",
        outcome: "Succeeded",
      },
    ]);
  });

  it("adds from the ledger what is kept nowhere else, in the order of time", () => {
    const executed = [
      {
        name: "gone",
        uid: "gone-uid",
        specDigest: "",
        at: "2026-05-01T10:00:00.123Z",
        outcome: "Failed" as const,
      },
      {
        name: "web-undo-x7k2p",
        uid: "request-uid",
        specDigest: "",
        at: "2026-06-01T10:00:00Z",
        outcome: "Succeeded" as const,
      },
    ];
    const marks = [
      { replicaSetUid: "", podTemplateHash: "", revision: 4, at: "", request: "gone", reason: "p95 5s" },
    ];
    const entries = historyOf([acted], [ledger({ executed, marks })]);
    expect(entries.map(({ request, at, from, to, reason }) => [request, at, from, to, reason])).toEqual([
      ["gone", "2026-05-01T10:00:00Z", "revision 4", "?", "p95 5s"],
      ["web-undo-x7k2p", "2026-06-01T10:00:00Z", "v1.2.3", "v1.2.2", "INC-231 5xx"],
    ]);
  });
});
