import { describe, expect, it } from "@jest/globals";
import { ended, iso, pod, T0 } from "../testing/pods.ts";
import { deploymentOf, podFacts } from "./pod-facts.ts";

const AT = T0 + 120_000;

function deaths(shape: Parameters<typeof pod>[0]) {
  return podFacts(pod(shape)).deaths.map(({ id, reason }) => `${id} ${reason}`);
}

describe("what is kept of a pod", () => {
  it("is whose it is, and how its containers stand", () => {
    const facts = podFacts(
      pod({
        container: { readinessProbe: { periodSeconds: 5, failureThreshold: 2, initialDelaySeconds: 3 } },
        containers: [{ ready: false, restartCount: 1, lastState: ended("abc", AT) }],
      }),
    );
    expect(facts).toMatchObject({
      replicaSetUid: "rs-2",
      createdAt: T0,
      goesSince: undefined,
      containers: [
        {
          name: "app",
          restarts: 1,
          runningSince: T0,
          ready: false,
          started: true,
          lastRun: { endedAt: AT, lengthMs: 5_000 },
          readiness: { shortestMs: 8_000, longestMs: 14_000 },
          startup: undefined,
          graceMs: 30_000,
        },
      ],
    });
    expect(JSON.stringify(facts).length).toBeLessThan(1_200);
    expect(facts).not.toHaveProperty("spec");
  });

  it("is the Deployment by the name of its ReplicaSet, and nothing of other owners", () => {
    expect(deploymentOf(pod({ replicaSet: "5d4f8" }))).toBe("web");
    const job = { apiVersion: "batch/v1", kind: "Job", name: "web-1", uid: "j", controller: true };
    expect(deploymentOf(pod({ metadata: { ownerReferences: [job] } }))).toBeUndefined();
    expect(deploymentOf(pod({ metadata: { ownerReferences: [] } }))).toBeUndefined();
  });
});

describe("the deaths that a status tells of", () => {
  it("are the state and the last state of every container, init containers too", () => {
    const container = { state: ended("new", AT), lastState: ended("old", AT - 60_000, "Error") };
    const init = { name: "init", ready: true, restartCount: 0, image: "", imageID: "" };
    const status = { initContainerStatuses: [{ ...init, state: ended("init", AT, "Completed") }] };
    expect(deaths({ containers: [container], status })).toEqual([
      "init00000000 Completed",
      "old000000000 Error",
      "new000000000 OOMKilled",
    ]);
  });

  it("are told apart by the second where the runtime gives no id", () => {
    const terminated = { exitCode: 1, finishedAt: iso(AT) };
    expect(deaths({ containers: [{ state: { terminated } }] })).toEqual([`@${iso(AT)} Error`]);
  });

  it("are none where the node lost the container, and nobody knows when it ended", () => {
    const terminated = { exitCode: 137, reason: "ContainerStatusUnknown" };
    expect(deaths({ containers: [{ state: { terminated } }] })).toEqual([]);
  });

  it("are not those of a pod that is told to go: a deletion ends containers by force", () => {
    const before = ended("before", AT - 33_000);
    // By the clock of a node that is a second behind.
    const after = ended("after", AT - 31_000, "Error");
    const metadata = { deletionTimestamp: iso(AT), deletionGracePeriodSeconds: 30 };
    const containers = [{ state: after, lastState: before }];
    expect(deaths({ metadata, containers })).toEqual(["before000000 OOMKilled"]);
    const evicted = { type: "DisruptionTarget", status: "True", lastTransitionTime: iso(AT - 30_000) };
    expect(deaths({ status: { conditions: [evicted] }, containers })).toEqual(["before000000 OOMKilled"]);
    expect(deaths({ status: { phase: "Failed", reason: "Evicted" }, containers })).toEqual([]);
  });
});
