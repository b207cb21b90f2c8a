import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, ResourceType } from "../kube/objects.ts";
import type { HorizontalPodAutoscaler } from "../kube/scale-types.ts";
import { autoscalersOf, judgeAutoscalers, type Autoscalers, type ScaledObject } from "./autoscalers.ts";

const PAUSED = "autoscaling.keda.sh/paused-replicas";
const metadata = (name: string, annotations: Record<string, string> = {}) => ({
  metadata: { name, namespace: "shop", uid: name, resourceVersion: "1", creationTimestamp: "", annotations },
});

function hpa(minReplicas?: number, ref: object = {}): HorizontalPodAutoscaler {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    ...metadata("web-hpa"),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web", ...ref },
      ...(minReplicas === undefined ? {} : { minReplicas }),
      maxReplicas: 9,
    },
  };
}

function scaledObject(annotations: Record<string, string> = {}): ScaledObject {
  return {
    apiVersion: "keda.sh/v1alpha1",
    kind: "ScaledObject",
    ...metadata("web-so", annotations),
    spec: { scaleTargetRef: { name: "web" } },
  };
}

function found(change: Partial<Autoscalers> = {}): Autoscalers {
  return { hpa: undefined, scaledObject: undefined, warnings: [], ...change };
}

describe("whose the number of replicas is", () => {
  it.each<readonly [string, Autoscalers, number, number, object]>([
    ["nobody scales it", found(), 2, 3, { kind: "Free", warnings: [] }],
    [
      "nobody could be looked for",
      found({ warnings: ["unchecked"] }),
      2,
      3,
      { kind: "Free", warnings: ["unchecked"] },
    ],
    [
      "an autoscaler keeps the number",
      found({ hpa: hpa(2) }),
      2,
      3,
      { kind: "Owned", message: expect.stringMatching(/web-hpa.*minReplicas \(2\) or maxReplicas \(9\)/) },
    ],
    [
      "an autoscaler stands still at 0",
      found({ hpa: hpa() }),
      2,
      0,
      { kind: "Free", warnings: [expect.stringContaining("stands still while there are 0 replicas")] },
    ],
    [
      "an autoscaler starts from 0 by itself",
      found({ hpa: hpa(0) }),
      2,
      0,
      { kind: "Owned", message: expect.stringContaining("minReplicas 0 may start it again") },
    ],
    [
      "an autoscaler takes over from 0",
      found({ hpa: hpa(2), warnings: ["unchecked"] }),
      0,
      3,
      {
        kind: "Free",
        warnings: ["unchecked", expect.stringContaining("takes over once there are replicas")],
      },
    ],
    [
      "KEDA scales it",
      found({ scaledObject: scaledObject(), hpa: hpa() }),
      2,
      0,
      { kind: "Owned", message: expect.stringContaining(`set its annotation ${PAUSED}: "0" instead`) },
    ],
    [
      "KEDA is paused at this number",
      found({ scaledObject: scaledObject({ [PAUSED]: "0" }) }),
      2,
      0,
      { kind: "Free", warnings: [expect.stringContaining("paused at 0 replicas")] },
    ],
    [
      "KEDA is paused at another number",
      found({ scaledObject: scaledObject({ [PAUSED]: "0" }) }),
      2,
      1,
      { kind: "Owned", message: expect.stringContaining(`"1" instead`) },
    ],
  ])("when %s", (_, autoscalers, from, to, expected) => {
    expect(judgeAutoscalers(autoscalers, from, to)).toEqual(expected);
  });
});

describe("looking for autoscalers", () => {
  const signal = new AbortController().signal;

  function client(
    hpas: readonly KubeObject[],
    scaledObjects: readonly KubeObject[] | "Absent" | "Forbidden",
  ) {
    const refuse = (code: number, reason: string) =>
      new KubeError({
        code,
        reason,
        verb: "list",
        target: "",
        path: "",
        detail: "",
        retryable: false,
        outcomeUnknown: false,
      });
    return {
      async getPath(path: string) {
        if (path === "/apis/keda.sh" && scaledObjects === "Absent") throw refuse(404, "ApiNotServed");
      },
      async list({ kind }: ResourceType) {
        if (kind === "HorizontalPodAutoscaler") return { items: hpas, resourceVersion: "1" };
        if (scaledObjects === "Forbidden") throw refuse(403, "Forbidden");
        return { items: scaledObjects, resourceVersion: "1" };
      },
    } as unknown as KubeClient;
  }
  const look = (of: KubeClient) => autoscalersOf({ kind: "Deployment", name: "web" }, of, "shop", signal);

  it("finds those that name the very workload", async () => {
    const others = [
      hpa(1, { kind: "StatefulSet" }),
      hpa(1, { name: "other" }),
      hpa(1, { apiVersion: "x.io/v1" }),
    ];

    expect(await look(client(others, "Absent"))).toEqual(found());
    expect(await look(client([...others, hpa(3)], [scaledObject()]))).toEqual(
      found({ hpa: hpa(3), scaledObject: scaledObject() }),
    );
  });

  it("says what it had no right to look at", async () => {
    const { warnings } = await look(client([], "Forbidden"));

    expect(warnings).toEqual([expect.stringMatching(/^unchecked: no right to list scaledobjects.keda.sh/)]);
  });
});
