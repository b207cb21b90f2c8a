import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { DaemonSet, StatefulSet } from "../kube/workload-types.ts";
import { daemonSetState, rolloutState, statefulSetState } from "./rollout-state.ts";
import { deploymentOf } from "./testing/history.ts";

const RELEASES = [{ revision: 2, image: "web:v2" }];
const base = deploymentOf(RELEASES);
const withStatus = (status: object, spec = {}) => ({
  ...deploymentOf(RELEASES, spec),
  status: { ...base.status, ...status },
});

describe("rollout state", () => {
  it.each([
    ["everything is there", {}, {}, true, "2/2 updated, 2/2 available"],
    ["the controller lags", { observedGeneration: 1 }, {}, false, "has not seen the change yet"],
    ["pods are missing", { updatedReplicas: 1 }, {}, false, "1/2 updated"],
    ["old pods are left", { replicas: 3 }, {}, false, "1 old still there"],
    ["pods are not available", { availableReplicas: 1 }, {}, false, "1/2 available"],
    ["it is paused", { updatedReplicas: 0 }, { paused: true }, false, "kubectl rollout resume"],
    [
      "nothing is wanted",
      { replicas: 0, updatedReplicas: 0, availableReplicas: 0 },
      { replicas: 0 },
      true,
      "0/0 updated",
    ],
  ])("when %s", (_, status, spec, complete, message) => {
    const state = rolloutState(withStatus(status, spec));

    expect(state.complete).toBe(complete);
    expect(state.message).toContain(message);
  });

  it("is complete exactly as kubectl says, whatever the conditions are", () => {
    const count = fc.nat({ max: 4 });
    const counts = fc.record({
      observedGeneration: fc.nat({ max: 3 }),
      replicas: count,
      updatedReplicas: count,
      availableReplicas: count,
      conditions: fc.constantFrom(
        [],
        [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }],
      ),
    });
    fc.assert(
      fc.property(counts, (status) => {
        const { observedGeneration, replicas, updatedReplicas, availableReplicas } = status;
        const done =
          observedGeneration >= 2 &&
          updatedReplicas >= 2 &&
          replicas <= updatedReplicas &&
          availableReplicas >= updatedReplicas;

        expect(rolloutState(withStatus(status)).complete).toBe(done);
      }),
    );
  });
});

const template = { spec: { containers: [] } };
const metadata = { ...base.metadata, generation: 2 };

function statefulSet(status: NonNullable<StatefulSet["status"]>, spec: Partial<StatefulSet["spec"]> = {}) {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata,
    spec: { replicas: 3, selector: {}, template, ...spec },
    status: { observedGeneration: 2, ...status },
  };
}

const partition = (count: number) => ({
  updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: count } },
});
const all = { readyReplicas: 3, availableReplicas: 3, updatedReplicas: 3 };
const one = { currentRevision: "db-b", updateRevision: "db-b" };
const two = { currentRevision: "db-a", updateRevision: "db-b" };

describe("rollout state of a StatefulSet", () => {
  it.each<
    readonly [string, NonNullable<StatefulSet["status"]>, Partial<StatefulSet["spec"]>, boolean, string]
  >([
    ["everything is there", { ...all, ...one }, {}, true, "3/3 updated, 3/3 available"],
    ["the controller lags", { ...all, ...one, observedGeneration: 1 }, {}, false, "has not seen the change"],
    ["pods are missing", { ...all, ...two, updatedReplicas: 2 }, {}, false, "2/3 updated"],
    [
      "pods are ready, not yet available",
      { ...all, ...one, availableReplicas: 2 },
      {},
      false,
      "2/3 available",
    ],
    ["the old revision is still current", { ...all, ...two }, {}, false, "not yet the only revision"],
    [
      "a partition is reached",
      { ...all, ...two, updatedReplicas: 1 },
      partition(2),
      true,
      "2 kept by the partition",
    ],
    [
      "a partition is not reached",
      { ...all, ...two, updatedReplicas: 0 },
      partition(2),
      false,
      "0/1 updated",
    ],
    ["a partition keeps all", { ...all, ...two, updatedReplicas: 0 }, partition(5), true, "0/0 updated"],
    [
      "OnDelete has one current revision for ever",
      { ...all, ...two },
      { updateStrategy: { type: "OnDelete" } },
      true,
      "3/3 updated",
    ],
    ["nothing is wanted", { ...two }, { replicas: 0 }, true, "0/0 updated"],
  ])("when %s", (_, status, spec, complete, message) => {
    const state = statefulSetState(statefulSet(status, spec));

    expect(state.complete).toBe(complete);
    expect(state.message).toContain(message);
  });

  it("is never complete where kubectl waits, but for OnDelete, which kubectl refuses", () => {
    const count = fc.nat({ max: 4 });
    const facts = fc.record({
      observedGeneration: fc.nat({ max: 3 }),
      readyReplicas: count,
      updatedReplicas: count,
      currentRevision: fc.constantFrom("db-a", "db-b"),
      updateRevision: fc.constant("db-b"),
      partition: fc.nat({ max: 4 }),
      unavailable: count,
    });
    fc.assert(
      fc.property(facts, ({ partition: kept, unavailable, ...status }) => {
        const availableReplicas = Math.max(0, status.readyReplicas - unavailable);
        const kubectlWaits =
          status.observedGeneration < 2 || status.readyReplicas < 3 || status.updatedReplicas < 3 - kept;

        const state = statefulSetState(statefulSet({ ...status, availableReplicas }, partition(kept)));

        if (kubectlWaits) expect(state.complete).toBe(false);
        if (state.complete && kept === 0) expect(status.currentRevision).toBe("db-b");
      }),
    );
  });
});

describe("rollout state of a DaemonSet", () => {
  it("is complete exactly as kubectl says", () => {
    const count = fc.nat({ max: 3 });
    const facts = fc.record({
      observedGeneration: fc.nat({ max: 3 }),
      desiredNumberScheduled: count,
      updatedNumberScheduled: count,
      numberAvailable: count,
    });
    fc.assert(
      fc.property(facts, (status) => {
        const spec = { selector: {}, template };
        const set: DaemonSet = { apiVersion: "apps/v1", kind: "DaemonSet", metadata, spec, status };
        const { desiredNumberScheduled: wanted } = status;
        const done =
          status.observedGeneration >= 2 &&
          status.updatedNumberScheduled >= wanted &&
          status.numberAvailable >= wanted;

        expect(daemonSetState(set).complete).toBe(done);
      }),
    );
  });
});
