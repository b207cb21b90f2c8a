import { describe, expect, it } from "@jest/globals";
import type { Pod } from "../kube/well-known.ts";
import { podComplaints } from "./pod-complaints.ts";

const pod = (status: NonNullable<Pod["status"]>, metadata = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-1",
    uid: "u",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    ...metadata,
  },
  spec: { containers: [] },
  status,
});
const waiting = (reason: string, message?: string): NonNullable<Pod["status"]> => ({
  containerStatuses: [
    {
      name: "app",
      ready: false,
      restartCount: 0,
      image: "",
      imageID: "",
      state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
    },
  ],
});

describe("complaints of pods", () => {
  it.each([
    ["ImagePullBackOff", "Image"],
    ["ErrImagePull", "Image"],
    ["InvalidImageName", "Image"],
    ["CreateContainerConfigError", "Config"],
    ["RunContainerError", "Config"],
    ["CrashLoopBackOff", "Crash"],
  ])("%s is of kind %s", (reason, kind) => {
    expect(podComplaints([pod(waiting(reason, "why"))])).toEqual([
      { kind, since: Date.parse("2026-01-01T00:00:00Z"), text: `pod web-1: container app: ${reason}: why` },
    ]);
  });

  it.each(["ContainerCreating", "PodInitializing"])("%s is none", (reason) => {
    expect(podComplaints([pod(waiting(reason))])).toEqual([]);
  });

  it("hear init containers and the scheduler, and nobody who is going away", () => {
    const unschedulable = pod({
      conditions: [
        {
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: "0/3 nodes:\n  no memory",
        },
      ],
    });
    const { containerStatuses = [] } = waiting("ErrImagePull");
    const leaving = pod(waiting("ErrImagePull"), { deletionTimestamp: "2026-01-01T00:00:00Z" });

    expect(podComplaints([unschedulable])).toMatchObject([
      { kind: "Unschedulable", text: "pod web-1: Unschedulable: 0/3 nodes: no memory" },
    ]);
    expect(podComplaints([pod({ initContainerStatuses: containerStatuses })])).toHaveLength(1);
    expect(podComplaints([leaving, pod({})])).toEqual([]);
  });

  it("are short", () => {
    const [complaint] = podComplaints([pod(waiting("ErrImagePull", "x".repeat(5_000)))]);

    expect(complaint?.text.length).toBeLessThan(300);
  });
});
