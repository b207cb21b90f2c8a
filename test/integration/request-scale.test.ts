import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { readAudit } from "../cluster/audit.ts";
import { inParallel } from "../support/in-parallel.ts";
import { container, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";
import { awaitEstablished } from "../support/established.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

/** As much of KEDA's kind as a plan reads. */
const SCALED_OBJECTS_CRD = JSON.stringify({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "scaledobjects.keda.sh" },
  spec: {
    group: "keda.sh",
    scope: "Namespaced",
    names: { plural: "scaledobjects", singular: "scaledobject", kind: "ScaledObject" },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
});

const NARROW_EXECUTOR = `apiVersion: v1
kind: ServiceAccount
metadata: {name: rollback-executor}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: narrow}
rules:
- {apiGroups: [apps], resources: [deployments], verbs: [get]}
- {apiGroups: [apps], resources: [deployments/scale], verbs: [get, patch]}
- {apiGroups: [apps], resources: [replicasets], verbs: [list]}
- {apiGroups: [""], resources: [pods], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: narrow}
subjects: [{kind: ServiceAccount, name: rollback-executor}]
`;

const scale = (target: string, replicas: number) => ({
  scale: { kind: "Deployment", name: target, replicas },
});
const restart = (target: string) => ({ restart: { kind: "Deployment", name: target } });
const stepsOf = (steps: Readonly<Record<string, PartialSpec>>) => ({
  steps: Object.entries(steps).map(([name, step]) => ({ name, ...step })),
});

describe("a step that scales or restarts", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["scale", "restart"] });
    await shop.open("worker");
    return shop;
  }

  /** Accepted writes of the executor, as `worker/scale`. */
  async function writes({ namespace, executor }: Shop): Promise<readonly string[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({ namespace, actor: executor })
      .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"));
  }

  async function refusesWhatAnAutoscalerOwns(): Promise<void> {
    const shop = await open("autoscaled");
    await world.kubectl(["autoscale", "deployment/worker", "--min=2", "--max=5", "-n", shop.namespace]);

    await shop.ask("more", undefined, stepsOf({ fresh: restart("worker"), more: scale("worker", 3) }));
    const refused = await shop.ended("more");
    expect(readyOf(refused)).toMatchObject({
      reason: "TargetOwned",
      message: expect.stringMatching(/step more: .*HorizontalPodAutoscaler worker.*minReplicas \(2\)/),
    });
    expect(await writes(shop)).toEqual([]);

    await shop.ask("stop", undefined, stepsOf({ stop: scale("worker", 0) }));
    const stopped = await shop.ended("stop");
    expect(stopped.status).toMatchObject({ phase: "Succeeded", conditions: expect.anything() });
    expect(readyOf(stopped).message).toBe("scaled to 0 replicas; no check was asked for");
    expect(stopped.status?.plan?.steps[0]?.warnings).toEqual([expect.stringContaining("stands still")]);
    await shop.ask("start", undefined, stepsOf({ start: scale("worker", 1) }));
    const started = await shop.ended("start");
    expect(started.status?.phase).toBe("Succeeded");
    expect(started.status?.plan?.steps[0]?.warnings).toEqual([expect.stringContaining("takes over")]);
  }

  async function refusesWhatKedaOwns(): Promise<void> {
    const shop = await open("keda");
    await world.kubectl(["apply", "-f", "-"], SCALED_OBJECTS_CRD);
    await awaitEstablished(world.kubectl, ["crd/scaledobjects.keda.sh"]);
    const scaledObject = {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: { name: "worker" },
      spec: { scaleTargetRef: { name: "worker" } },
    };
    await world.kubectl(["apply", "-n", shop.namespace, "-f", "-"], JSON.stringify(scaledObject));

    await shop.ask("stop", undefined, stepsOf({ stop: scale("worker", 0) }));

    const refused = await shop.ended("stop");
    expect(readyOf(refused)).toMatchObject({
      reason: "TargetOwned",
      message: expect.stringContaining(
        'ScaledObject worker: set its annotation autoscaling.keda.sh/paused-replicas: "0"',
      ),
    });
    const annotate = ["annotate", "scaledobject/worker", "-n", shop.namespace];
    await world.kubectl([...annotate, "autoscaling.keda.sh/paused-replicas=0"]);
    await shop.ask("paused", undefined, stepsOf({ stop: scale("worker", 0) }));
    expect((await shop.ended("paused")).status?.phase).toBe("Succeeded");
    expect(await writes(shop)).toEqual(["worker/scale"]);
  }

  /** Without the roles' optional rights the plan says what nobody looked at. */
  async function saysWhatStayedUnchecked(): Promise<void> {
    const shop = await openShop(world, "unchecked", { executor: false });
    await shop.open("worker");
    await world.kubectl(["apply", "-n", shop.namespace, "-f", "-"], NARROW_EXECUTOR);

    await shop.ask("stop", undefined, {
      ...stepsOf({ stop: scale("worker", 0) }),
      serviceAccountName: "rollback-executor",
    });

    const ended = await shop.ended("stop");
    expect(ended.status?.phase).toBe("Succeeded");
    expect(ended.status?.plan?.steps[0]?.warnings).toContainEqual(
      expect.stringMatching(/^unchecked: no right to list horizontalpodautoscalers.autoscaling/),
    );
    await shop.ask("fresh", undefined, stepsOf({ fresh: restart("worker") }));
    expect(readyOf(await shop.ended("fresh"))).toMatchObject({
      reason: "AccessDenied",
      message: expect.stringMatching(/may not patch deployments.apps worker/),
    });
    await world.kubectl(["delete", "role", "narrow", "-n", shop.namespace]);
    await shop.ask("start", undefined, stepsOf({ start: scale("worker", 2) }));
    expect(readyOf(await shop.ended("start"))).toMatchObject({
      reason: "AccessDenied",
      message: expect.stringContaining('resources: ["deployments/scale"], verbs: ["get", "patch"]'),
    });
  }

  /** What would be undone, would do nothing, or would leave no pod that can start. */
  async function refusesWhatWouldNotHold(): Promise<void> {
    const shop = await open("refused");
    const configMapRef = { name: "settings" };
    await world.kubectl(["create", "configmap", "settings", "-n", shop.namespace]);
    await Promise.all([
      shop.open("paused").then(() => shop.edit([{ op: "add", path: "/spec/paused", value: true }], "paused")),
      shop.open("owned", {
        metadata: { annotations: { "argocd.argoproj.io/tracking-id": "app:apps/Deployment:refused/owned" } },
      }),
      shop.open("needy", { template: container({ envFrom: [{ configMapRef }] }) }),
    ]);
    await world.kubectl(["delete", "configmap", "settings", "-n", shop.namespace]);
    const cases = [
      ["paused", restart("paused"), "Paused", "kubectl rollout resume deployment/paused"],
      ["owned-restart", restart("owned"), "TargetOwned", "managed by Argo CD Application app"],
      ["owned-scale", scale("owned", 0), "TargetOwned", "managed by Argo CD Application app"],
      ["needy", restart("needy"), "DependencyMissing", "its pods need ConfigMap settings (container app)"],
      ["gone-restart", restart("gone"), "TargetNotFound", "Deployment/gone does not exist"],
      ["gone-scale", scale("gone", 0), "TargetNotFound", "Deployment/gone does not exist"],
    ] as const;
    await Promise.all(
      cases.map(async ([name, step, reason, words]) => {
        await shop.ask(name, undefined, stepsOf({ only: step }));
        const ended = await shop.ended(name);
        expect({ name, phase: ended.status?.phase, ...readyOf(ended) }).toEqual({
          name,
          phase: "Failed",
          reason,
          message: expect.stringContaining(words),
        });
      }),
    );
    expect(await writes(shop)).toEqual([]);
  }

  inParallel(
    {
      "refuses what would not hold": refusesWhatWouldNotHold,
      "leaves to an autoscaler what is the autoscaler's": refusesWhatAnAutoscalerOwns,
      "leaves to KEDA what is KEDA's, unless it is paused": refusesWhatKedaOwns,
      "says what it had no right to look at, and which rights it lacks": saysWhatStayedUnchecked,
    },
    TEST_MS,
  );
});
