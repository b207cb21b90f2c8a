import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Pod } from "../../kube/well-known.ts";
import type { DaemonSet, StatefulSet } from "../../kube/workload-types.ts";
import { nextPodAct, type PodAct } from "./stale-pods.ts";

const NOW = Date.parse("2026-01-01T01:00:00Z");
const GOOD = "db-good";
const BAD = "db-bad";
const meta = (name: string) => ({
  name,
  namespace: "shop",
  uid: `uid-${name}`,
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
});

interface PodFacts {
  readonly ordinal: number;
  readonly revision: string;
  readonly ready: boolean;
  readonly leaving?: boolean;
  readonly readyAt?: string;
}

function podOf({ ordinal, revision, ready, leaving, readyAt = "2026-01-01T00:30:00Z" }: PodFacts): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...meta(`db-${ordinal}`),
      labels: { "controller-revision-hash": revision },
      ...(leaving === true ? { deletionTimestamp: "2026-01-01T00:59:00Z" } : {}),
    },
    spec: { containers: [] },
    status: {
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: readyAt }],
    },
  };
}

const template = { spec: { containers: [] } };

function setOf(spec: Partial<StatefulSet["spec"]> = {}) {
  const object: StatefulSet = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: meta("db"),
    spec: { replicas: 3, selector: {}, template, ...spec },
  };
  return { kind: "StatefulSet", object } as const;
}

function daemonsOf(type: string, desiredNumberScheduled: number) {
  const object: DaemonSet = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: meta("db"),
    spec: { selector: {}, template, updateStrategy: { type } },
    status: { desiredNumberScheduled },
  };
  return { kind: "DaemonSet", object } as const;
}

const onDelete = { updateStrategy: { type: "OnDelete" } };
const partition = (count: number) => ({
  updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: count } },
});
const good = (ordinal: number, more: Partial<PodFacts> = {}) =>
  podOf({ ordinal, revision: GOOD, ready: true, ...more });
const bad = (ordinal: number, more: Partial<PodFacts> = {}) =>
  podOf({ ordinal, revision: BAD, ready: true, ...more });
const broken = { ready: false };

/** `Delete db-2 db-1`, `Evict db-2`, `Wait until ...`, `None`. */
function text(act: PodAct): string {
  switch (act.kind) {
    case "None":
      return "None";
    case "Wait":
      return `Wait: ${act.message}`;
    case "Delete":
      return `Delete ${act.pods.map(({ metadata }) => metadata.name).join(" ")}`;
    case "Evict":
      return `Evict ${act.pod.metadata.name}`;
  }
}

describe("what has to happen to pods of other revisions", () => {
  it.each<readonly [string, ReturnType<typeof setOf>, readonly Pod[], string]>([
    ["an ordered set goes on by itself", setOf(), [bad(0), bad(1), good(2)], "None"],
    ["an ordered set is stuck", setOf(), [bad(0), bad(1), bad(2, broken)], "Delete db-2"],
    ["several are broken", setOf(), [bad(0, broken), bad(1), bad(2, broken)], "Delete db-2 db-0"],
    ["the restored version itself is broken", setOf(), [bad(0), bad(1), good(2, broken)], "None"],
    ["it goes already", setOf(), [bad(0), bad(1), bad(2, { ...broken, leaving: true })], "None"],
    ["it is below the partition", setOf(partition(2)), [bad(0), bad(1, broken), good(2)], "None"],
    ["it is at the partition", setOf(partition(1)), [bad(0), bad(1, broken), good(2)], "Delete db-1"],
    [
      "ordinals start elsewhere: the partition counts from there",
      setOf({ ...partition(1), ordinals: { start: 5 } }),
      [bad(5, broken), bad(6, broken), good(7)],
      "Delete db-6",
    ],
    ["Parallel", setOf({ podManagementPolicy: "Parallel" }), [bad(0, broken), bad(1), bad(2)], "None"],
    ["OnDelete: the highest first", setOf(onDelete), [bad(0), bad(1), bad(2)], "Evict db-2"],
    ["OnDelete: the next", setOf(onDelete), [bad(0), bad(1), good(2)], "Evict db-1"],
    ["OnDelete: all done", setOf(onDelete), [good(0), good(1), good(2)], "None"],
    [
      "OnDelete: one is on its way out",
      setOf(onDelete),
      [bad(0), bad(1), bad(2, { leaving: true })],
      "Wait: the next eviction waits until pod db-2 is gone",
    ],
    [
      "OnDelete: one is missing",
      setOf(onDelete),
      [bad(0), bad(1)],
      "Wait: the next eviction waits until 3 pods are there (2 now)",
    ],
    [
      "OnDelete: the one before is not ready yet",
      setOf(onDelete),
      [bad(0), bad(1), good(2, broken)],
      "Wait: the next eviction waits until pod db-2 is available",
    ],
    [
      "OnDelete: ready, but not for long enough",
      setOf({ ...onDelete, minReadySeconds: 10 }),
      [bad(0), bad(1), good(2, { readyAt: "2026-01-01T00:59:55Z" })],
      "Wait: the next eviction waits until pod db-2 is available",
    ],
    [
      "OnDelete: a broken one goes before a well one, though others are missing",
      setOf(onDelete),
      [bad(0, broken), bad(2)],
      "Evict db-0",
    ],
    ["OnDelete knows no partition", setOf({ ...onDelete }), [bad(0), good(1), good(2)], "Evict db-0"],
  ])("%s", (_, set, pods, expected) => {
    expect(text(nextPodAct(set, pods, GOOD, NOW))).toBe(expected);
  });

  it("is nothing for a DaemonSet that updates by itself, and one eviction at a time for OnDelete", () => {
    const pods = [bad(0), bad(1)];

    expect(text(nextPodAct(daemonsOf("RollingUpdate", 2), [bad(0, broken), bad(1)], GOOD, NOW))).toBe("None");
    expect(text(nextPodAct(daemonsOf("OnDelete", 2), pods, GOOD, NOW))).toBe("Evict db-0");
    expect(text(nextPodAct(daemonsOf("OnDelete", 3), pods, GOOD, NOW))).toMatch(/^Wait/);
  });

  it("touches none of the restored version, none below the partition, and none that serves but by eviction", () => {
    const facts = fc.record({
      ordinal: fc.nat({ max: 9 }),
      revision: fc.constantFrom(GOOD, BAD, "db-older"),
      ready: fc.boolean(),
      leaving: fc.boolean(),
    });
    const pods = fc.uniqueArray(facts, { selector: ({ ordinal }) => ordinal });
    const spec = fc.record({
      replicas: fc.nat({ max: 10 }),
      podManagementPolicy: fc.constantFrom("OrderedReady", "Parallel"),
      count: fc.nat({ max: 10 }),
      isOnDelete: fc.boolean(),
    });
    fc.assert(
      fc.property(pods, spec, (all, { replicas, podManagementPolicy, count, isOnDelete }) => {
        const strategy = isOnDelete ? onDelete : partition(count);
        const set = setOf({ replicas, podManagementPolicy, ...strategy });

        const act = nextPodAct(set, all.map(podOf), GOOD, NOW);

        const named = (name: string) => all.find(({ ordinal }) => `db-${ordinal}` === name);
        const touched = act.kind === "Delete" ? act.pods : act.kind === "Evict" ? [act.pod] : [];
        for (const { metadata } of touched) {
          const pod = named(metadata.name);
          expect(pod?.revision).not.toBe(GOOD);
          expect(pod?.leaving).toBe(false);
          if (act.kind !== "Delete") continue;
          expect(isOnDelete).toBe(false);
          expect(pod?.ready).toBe(false);
          expect(pod?.ordinal).toBeGreaterThanOrEqual(count);
          expect(podManagementPolicy).toBe("OrderedReady");
        }
        // While it evicts, at most one pod is not serving that served before.
        const isWellEvicted = act.kind === "Evict" && named(act.pod.metadata.name)?.ready === true;
        if (isWellEvicted) expect(all.every(({ ready, leaving }) => ready && !leaving)).toBe(true);
      }),
    );
  });
});
