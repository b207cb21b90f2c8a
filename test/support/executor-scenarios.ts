import { expect } from "@jest/globals";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { configMapType, serviceAccountType } from "../../src/kube/well-known.ts";
import { openBlueGreen, openHpa, serviceOf, toBlue } from "./blue-green.ts";
import { addRoute, addServiceOf, openStable, STABLE } from "./canaries.ts";
import { createMap, getMap } from "./config-maps.ts";
import { imageOfRollout, PAUSED_CANARY, rolloutsOf } from "./rollouts.ts";
import { addService } from "./served-shop.ts";
import { imageOfSet, setsOf } from "./sets.ts";
import {
  container,
  imageOf,
  podSpec,
  readyOf,
  type PartialSpec,
  type Shop,
  type TemplateChange,
} from "./shop.ts";
import { until, type World } from "./world.ts";

const { signal } = new AbortController();

/** Where a scenario plays. */
export interface ScenarioStage {
  readonly world: World;
  readonly shop: Shop;
  /** Where something listens in the pods' place; undefined where this machine has no address for it. */
  readonly port: number | undefined;
}

/** What the holder of a Role does with it. */
export interface Scenario {
  /** Actions whose Roles the executor holds as well, but for the rights that the Role in question gives. */
  readonly beside?: readonly string[];
  /** It needs pods that answer. */
  readonly asksPods?: true;
  /** Needs no right of the executor. */
  prepare(stage: ScenarioStage): Promise<void>;
  /** The spec of a request that uses every right of the Role. */
  readonly spec: PartialSpec;
  /** Throws unless the action did what it is for. */
  prove(stage: ScenarioStage, ended: RollbackRequest): Promise<void>;
}

/** One for each file executor-ACTION.yaml; a new Role needs a line here, and a section in docs/rights.md. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  workload: {
    async prepare({ world, shop }) {
      await openNeedy({ world, shop });
      await shop.release("web:v2");
      // An ordered set waits for its broken pod for ever: it must be deleted.
      const ordered = setsOf(world, shop, "StatefulSet");
      await ordered.open();
      await ordered.release("web:crash");
      await until(
        "the broken pod is there",
        () => ordered.pods(),
        (pods) => pods.some((pod) => pod.spec.containers[0]?.image === "web:crash"),
      );
      // Nothing replaces pods of this set but their eviction.
      const onDelete = setsOf(world, shop, "DaemonSet");
      await onDelete.open("agent", { updateStrategy: { type: "OnDelete" } });
      const [old] = await onDelete.pods("agent");
      await onDelete.release("web:v2", "agent");
      await world.kubectl(["delete", "pod", "-n", shop.namespace, old?.metadata.name ?? ""]);
      await until(
        "a pod runs the new version",
        () => onDelete.pods("agent"),
        (pods) => pods.some((pod) => pod.spec.containers[0]?.image === "web:v2"),
      );
    },
    spec: {
      steps: [
        { name: "web", workload: { kind: "Deployment", name: "web" } },
        { name: "db", workload: { kind: "StatefulSet", name: "db" } },
        { name: "agent", workload: { kind: "DaemonSet", name: "agent" } },
      ],
    },
    async prove({ world, shop }, ended) {
      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(imageOf(await shop.live())).toBe("web:v1");
      expect(imageOfSet(await setsOf(world, shop, "StatefulSet").live())).toBe("web:v1");
      const agents = setsOf(world, shop, "DaemonSet");
      expect((await agents.pods("agent")).map((pod) => pod.spec.containers[0]?.image)).toEqual(["web:v1"]);
      expect(await agents.podActs()).toEqual(["delete db-2", expect.stringMatching(/^evict agent-/)]);
    },
  },
  rollout: {
    beside: ["workload"],
    async prepare({ world, shop }) {
      await rolloutsOf(world, shop).open("api", PAUSED_CANARY);
      await rolloutsOf(world, shop).release("web:v2", "api");
    },
    spec: {
      steps: [{ name: "api", workload: { kind: "Rollout", name: "api" } }],
    },
    async prove({ world, shop }, ended) {
      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(imageOfRollout(await rolloutsOf(world, shop).live("api"))).toBe("web:v1");
      expect(await rolloutsOf(world, shop).acts("api", 2)).toEqual(["status", ""]);
    },
  },
  checks: {
    beside: ["workload"],
    asksPods: true,
    async prepare({ world, shop, port }) {
      const ports = [{ name: "http", containerPort: port ?? 1 }];
      await shop.open("web", { template: container({ ports }) });
      await shop.release("web:v2");
      await addService(world, shop.namespace, { ports: [{ port: 80, targetPort: "http" }] });
    },
    spec: {
      steps: [{ name: "web", workload: { kind: "Deployment", name: "web" } }],
      verification: {
        settle: "0s",
        soak: "2s",
        interval: "1s",
        checks: [
          { name: "health", http: { service: "web", path: "/health" } },
          { name: "smoke", smoke: { service: "web", requests: ["/health"] } },
        ],
      },
    },
    async prove(_stage, ended) {
      expect(ended.status?.checks?.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
        "health Passed",
        "smoke Passed",
      ]);
    },
  },
  scale: {
    async prepare({ world, shop }) {
      await shop.open();
      await setsOf(world, shop, "StatefulSet").open();
    },
    spec: {
      steps: [
        { name: "stop", scale: { kind: "Deployment", name: "web", replicas: 0 } },
        { name: "shrink", scale: { kind: "StatefulSet", name: "db", replicas: 1 } },
      ],
    },
    async prove({ world, shop }, ended) {
      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "2/2" });
      expect((await shop.live()).spec.replicas).toBe(0);
      expect((await setsOf(world, shop, "StatefulSet").pods()).map(({ metadata }) => metadata.name)).toEqual([
        "db-0",
      ]);
    },
  },
  restart: {
    async prepare({ world, shop }) {
      await openNeedy({ world, shop });
      await setsOf(world, shop, "StatefulSet").open();
      await setsOf(world, shop, "DaemonSet").open("agent");
    },
    spec: {
      steps: [
        { name: "web", restart: { kind: "Deployment", name: "web" } },
        { name: "db", restart: { kind: "StatefulSet", name: "db" } },
        { name: "agent", restart: { kind: "DaemonSet", name: "agent" } },
      ],
    },
    async prove({ world, shop }, ended) {
      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "3/3" });
      const sets = [
        setsOf(world, shop, "StatefulSet").live(),
        setsOf(world, shop, "DaemonSet").live("agent"),
      ];
      for (const { spec } of await Promise.all([shop.live(), ...sets])) {
        expect(spec.template.metadata?.annotations).toHaveProperty(["kubectl.kubernetes.io/restartedAt"]);
      }
    },
  },
  "blue-green": {
    asksPods: true,
    async prepare({ world, shop }) {
      const { client } = world;
      await openBlueGreen(shop, client, "web", { idle: 1 });
      await openHpa(client, shop.namespace, "web-blue", { minReplicas: 1, maxReplicas: 5 });
      await setsOf(world, shop, "StatefulSet").open("web-red");
    },
    spec: {
      steps: [
        {
          name: "traffic",
          blueGreen: toBlue("web", {
            colors: [...toBlue().colors, { color: "red", kind: "StatefulSet", name: "web-red" }],
          }),
        },
      ],
      verification: { checks: [] },
    },
    async prove({ world, shop }, ended) {
      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "1/1" });
      const { selector } = (await serviceOf(world.client, shop.namespace)).spec;
      expect(selector).toEqual({ site: "web", version: "blue" });
    },
  },
  canary: {
    async prepare({ world, shop }) {
      const place = { world, shop };
      await openStable(place);
      await Promise.all(["web", "edge", "rpc"].map((name) => addServiceOf(place, `${name}-canary`)));
      await shop.open("web-canary");
      await setsOf(world, shop, "StatefulSet").open("edge-canary");
      const scaledObject = {
        apiVersion: "keda.sh/v1alpha1",
        kind: "ScaledObject",
        metadata: { name: "web-canary", namespace: shop.namespace },
        spec: { scaleTargetRef: { name: "web-canary" } },
      };
      const destinationRule = {
        apiVersion: "networking.istio.io/v1",
        kind: "DestinationRule",
        metadata: { name: STABLE, namespace: shop.namespace },
        spec: { host: STABLE, subsets: [{ name: "all" }] },
      };
      await world.kubectl(["apply", "-f", "-"], JSON.stringify(scaledObject));
      await world.kubectl(["apply", "-f", "-"], JSON.stringify(destinationRule));
      await addRoute(place, "VirtualService", "web", {
        hosts: ["web"],
        http: [
          {
            route: [
              { destination: { host: "web-canary" }, weight: 10 },
              { destination: { host: STABLE, subset: "all" }, weight: 90 },
            ],
          },
        ],
      });
      for (const [kind, name] of [
        ["HTTPRoute", "edge"],
        ["GRPCRoute", "rpc"],
      ] as const) {
        const backendRefs = [`${name}-canary`, STABLE].map((service) => ({ name: service, port: 80 }));
        await addRoute(place, kind, name, { rules: [{ backendRefs }] });
      }
    },
    spec: {
      steps: [
        {
          name: "web",
          canary: {
            virtualService: "web",
            canary: { host: "web-canary" },
            stable: { host: STABLE, subset: "all" },
            drain: "0s",
            scaleDown: { kind: "Deployment", name: "web-canary" },
          },
        },
        {
          name: "edge",
          canary: {
            httpRoute: "edge",
            canary: { host: "edge-canary" },
            stable: { host: STABLE },
            drain: "0s",
            scaleDown: { kind: "StatefulSet", name: "edge-canary" },
          },
        },
        {
          name: "rpc",
          canary: {
            grpcRoute: "rpc",
            canary: { host: "rpc-canary" },
            stable: { host: STABLE },
            drain: "0s",
          },
        },
      ],
    },
    async prove({ world, shop }, ended) {
      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "3/3" });
      expect((await shop.live("web-canary")).spec.replicas).toBe(0);
      expect(await setsOf(world, shop, "StatefulSet").pods("edge-canary")).toEqual([]);
    },
  },
  "config-map": {
    async prepare(stage) {
      const { world, shop } = stage;
      await openReaders(stage);
      await createMap(world.client, shop.namespace, "fixed", { data: { a: "bad" }, immutable: true });
    },
    spec: {
      steps: [
        { name: "settings", configMap: { name: "settings", to: { values: { a: "good" } } } },
        { name: "fixed", configMap: { name: "fixed", to: { values: { a: "good" } } } },
      ],
    },
    async prove(stage, ended) {
      const { world, shop } = stage;
      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "2/2" });
      for (const name of ["settings", "fixed"]) {
        expect((await getMap(world.client, shop.namespace, name)).data).toEqual({ a: "good" });
      }
      await proveReadersAreFresh(stage);
    },
  },
  "feature-flag": {
    prepare: openReaders,
    spec: {
      steps: [{ name: "flag", featureFlag: { configMap: { name: "settings", key: "a", value: "good" } } }],
    },
    async prove(stage, ended) {
      expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "1/1" });
      expect((await getMap(stage.world.client, stage.shop.namespace, "settings")).data).toEqual({
        a: "good",
      });
      await proveReadersAreFresh(stage);
    },
  },
  cluster: {
    beside: ["workload"],
    async prepare({ world, shop }) {
      const { namespace } = shop;
      // They belong to no namespace, so they bear its name.
      const manifests = `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: ${namespace}}
value: 1
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: ${namespace}}
handler: runc
`;
      await world.kubectl(["apply", "-f", "-"], manifests);
      const classes = { priorityClassName: namespace, runtimeClassName: namespace };
      await shop.open("web", { template: podSpec(classes) });
      await shop.release("web:v2");
    },
    spec: { steps: [{ name: "web", workload: { kind: "Deployment", name: "web" } }] },
    async prove({ shop }) {
      expect(imageOf(await shop.live())).toBe("web:v1");
    },
  },
};

/** A workload of each kind that reads ConfigMap `settings` through env. */
async function openReaders({ world, shop }: ScenarioStage): Promise<void> {
  await createMap(world.client, shop.namespace, "settings", { data: { a: "bad" } });
  const envFrom = [{ configMapRef: { name: "settings" } }];
  await shop.open("web", { template: container({ envFrom }) });
  for (const [kind, name] of [
    ["StatefulSet", "db"],
    ["DaemonSet", "agent"],
  ] as const) {
    const sets = setsOf(world, shop, kind);
    await sets.open(name);
    const path = "/spec/template/spec/containers/0/envFrom";
    await sets.edit([{ op: "add", path, value: envFrom }], name);
  }
}

async function proveReadersAreFresh({ world, shop }: ScenarioStage): Promise<void> {
  const sets = [setsOf(world, shop, "StatefulSet").live(), setsOf(world, shop, "DaemonSet").live("agent")];
  for (const { spec } of await Promise.all([shop.live(), ...sets])) {
    expect(spec.template.metadata?.annotations).toHaveProperty(["kubectl.kubernetes.io/restartedAt"]);
  }
}

/** A Deployment `web` that needs one of everything that the preflight looks for in its namespace. */
async function openNeedy({ world, shop }: Pick<ScenarioStage, "world" | "shop">): Promise<void> {
  const { namespace } = shop;
  const key = (name: string) => ({ metadata: { namespace, name } });
  await world.client.create(configMapType, { ...key("settings"), data: { a: "b" } }, { signal });
  await world.client.create(serviceAccountType, key("web"), { signal });
  await world.client.create(claimType, { ...key("data"), spec: CLAIM }, { signal });
  const needs: TemplateChange = podSpec({
    serviceAccountName: "web",
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
  });
  const reads = container({ envFrom: [{ configMapRef: { name: "settings" } }] });
  await shop.open("web", { template: (template) => needs(reads(template)) });
}

interface Claim extends KubeObject {
  readonly spec: typeof CLAIM;
}

const CLAIM = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } };

const claimType = defineResource<Claim>({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  namespaced: true,
});
