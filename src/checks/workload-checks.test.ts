import { describe, expect, it } from "@jest/globals";
import type { Pod } from "../kube/well-known.ts";
import { liveRevision, revisionsOf, toRef } from "../workloads/revisions.ts";
import { deploymentOf, replicaSetOf, type Release } from "../workloads/testing/history.ts";
import { memoryWorkloads } from "../workloads/testing/memory-workloads.ts";
import { HASH_LABEL } from "../workloads/template.ts";
import { createChecks } from "./registry.ts";

const RELEASES: readonly Release[] = [
  { revision: 1, image: "web:v1" },
  { revision: 2, image: "web:v2" },
];
const sets = RELEASES.map(replicaSetOf);
const checks = createChecks({
  sample: () => Promise.reject(new Error("no signal here")),
  lookbackMs: () => 0,
});

function pod(image: string, ready: boolean, change: Partial<Pod["metadata"]> = {}): Pod {
  const set = sets.find(({ spec }) => spec.template.spec.containers[0]?.image === image);
  const { uid = "", name = "", labels = {} } = set?.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${name}-1`,
      namespace: "shop",
      uid: "p",
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { [HASH_LABEL]: labels[HASH_LABEL] ?? "" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name, uid, controller: true }],
      ...change,
    },
    spec: { containers: [] },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

/** Long after the pods were made. */
const LATER = Date.parse("2026-01-01T01:00:00Z");
/** Seconds after. */
const SOON = Date.parse("2026-01-01T00:00:20Z");

const good = [pod("web:v2", true), pod("web:v2", true)];
const MISSING = "1/2 ready, the others just made or not there yet";
const strangers = { ownerReferences: [] };
const leaving = { deletionTimestamp: "2026-01-01T00:00:00Z" };

function sample(
  check: { pods: { ready: "All" } } | { version: Record<string, never> },
  pods: readonly Pod[],
  replicas = 2,
  now = LATER,
) {
  const deployment = deploymentOf(RELEASES, { replicas });
  const { client } = memoryWorkloads(deployment, sets, pods);
  const live = liveRevision(deployment, revisionsOf(deployment, sets));
  return checks.sample(
    { name: "c", ...check },
    {
      executor: client,
      namespace: "shop",
      restored: [{ kind: "Deployment", name: "web", revision: toRef(live!) }],
      signals: [],
      now,
      signal: new AbortController().signal,
    },
  );
}

describe("the check of pods", () => {
  it.each([
    ["all ready", good, 2, "Pass", "2/2 ready"],
    ["one not ready", [good[0]!, pod("web:v2", false)], 2, "Fail", "1/2 ready"],
    ["too few", [good[0]!], 2, "Unsettled", MISSING],
    ["pods of another version", [good[0]!, pod("web:v1", true)], 2, "Unsettled", MISSING],
    ["one on its way out", [good[0]!, pod("web:v2", true, leaving)], 2, "Unsettled", MISSING],
    ["a stranger under the same labels", [good[0]!, pod("web:v2", true, strangers)], 2, "Unsettled", MISSING],
    ["an old one besides one that is missing", [pod("web:v2", false)], 2, "Fail", "0/2 ready"],
    ["none wanted", [], 0, "NoVerdict", "0 pods wanted"],
  ] as const)("%s", async (_, pods, replicas, outcome, value) => {
    expect(await sample({ pods: { ready: "All" } }, pods, replicas)).toEqual({ outcome, value });
  });
});

describe("pods that a scale-up has just made", () => {
  const young = pod("web:v2", false);
  const withStatus = (status: Pod["status"]): Pod => ({ ...young, status: { ...young.status, ...status } });
  const container = { name: "app", ready: false, restartCount: 0, image: "", imageID: "" };
  const ready = (at: string) => ({ type: "Ready", status: "False", lastTransitionTime: at });
  const initialized = { type: "Initialized", status: "True", lastTransitionTime: "2026-01-01T00:00:05Z" };

  it.each([
    ["not Ready yet", young, "Unsettled"],
    [
      "whose init containers have just ended",
      withStatus({ conditions: [ready("2026-01-01T00:00:00Z"), initialized] }),
      "Unsettled",
    ],
    [
      "that cannot be scheduled",
      withStatus({ conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }] }),
      "Fail",
    ],
    [
      "that crash",
      withStatus({
        containerStatuses: [{ ...container, state: { waiting: { reason: "CrashLoopBackOff" } } }],
      }),
      "Fail",
    ],
    ["that were restarted", withStatus({ containerStatuses: [{ ...container, restartCount: 1 }] }), "Fail"],
    [
      "that were Ready already",
      withStatus({ conditions: [ready("2026-01-01T00:00:15Z"), initialized] }),
      "Fail",
    ],
  ] as const)("%s", async (_, added, outcome) => {
    const sampled = await sample({ pods: { ready: "All" } }, [...good, added], 3, SOON);

    expect(sampled.outcome).toBe(outcome);
    expect(sampled.value).toMatch(/^2\/3 ready/);
  });

  it("have the time that the Deployment itself gives them", async () => {
    expect(await sample({ pods: { ready: "All" } }, [...good, young], 3, LATER)).toEqual({
      outcome: "Fail",
      value: "2/3 ready",
    });
  });
});

describe("the check of the version", () => {
  it.each([
    ["only the restored one", good, "Pass", "webv2 on 2 pods"],
    ["one of another", [...good, pod("web:v1", true)], "Fail", "1 of 3 pods run another version"],
    ["one of another on its way out", [...good, pod("web:v1", true, leaving)], "Pass", "webv2 on 2 pods"],
    ["a stranger", [...good, pod("web:v1", true, strangers)], "Pass", "webv2 on 2 pods"],
  ] as const)("%s", async (_, pods, outcome, value) => {
    expect(await sample({ version: {} }, pods)).toEqual({ outcome, value });
  });
});
