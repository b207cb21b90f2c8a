import type { CanarySpec } from "../../../src/actions/canary/index.ts";
import { defineResource, type KubeObject } from "../../../src/kube/objects.ts";
import type { RouteKindName } from "../../../src/traffic/route-kinds.ts";
import type { RouteObject } from "../../../src/traffic/route-kind.ts";
import { addRoute, addServiceOf, editRoute, liveRoute, openStable, STABLE } from "../../support/canaries.ts";
import type { ActionCase, Stage } from "../action-case.ts";

const signal = new AbortController().signal;

/** Hosts are those of one scene, since a step changes every route of its namespace that names its canary. */
const canaryOf = (name: string) => `${name}-canary`;

interface RouteCase {
  readonly title: string;
  readonly kind: RouteKindName;
  readonly step: "virtualService" | "httpRoute" | "grpcRoute";
  spec(name: string): RouteObject["spec"];
  /** Other objects that send to the canary too. */
  beside?(stage: Stage, name: string): Promise<unknown>;
  /** Whether the rule that stands at the edited place sends nothing to the canary. */
  isMoved(spec: RouteObject["spec"], name: string): boolean;
  readonly edit: { readonly path: string; readonly value: unknown };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
}

function routeCase(row: RouteCase): ActionCase<CanarySpec> {
  const { kind, replicas = 0 } = row;
  return {
    title: row.title,
    async open(stage, name) {
      const { shop } = stage;
      await Promise.all([
        openStable(stage),
        addServiceOf(stage, canaryOf(name)),
        replicas > 0 ? shop.open(canaryOf(name), { spec: { replicas } }) : undefined,
        addRoute(stage, kind, name, row.spec(name), row.annotations),
        row.beside?.(stage, name),
      ]);
      return {
        [row.step]: name,
        canary: { host: canaryOf(name) },
        stable: { host: STABLE },
        drain: "1s",
        ...(replicas > 0 ? { scaleDown: { kind: "Deployment", name: canaryOf(name) } } : {}),
      };
    },
    live: (stage, name) => liveRoute(stage, kind, name),
    part: (object) => (object as RouteObject).spec,
    hasArrived: (object) => row.isMoved((object as RouteObject).spec, object.metadata.name),
    foreignChanges: {
      "another weight": (stage, name) => editRoute(stage, kind, name, row.edit.path, row.edit.value),
    },
  };
}

interface HttpRule {
  readonly route: readonly { readonly destination: { readonly host: string }; readonly weight?: number }[];
}

const hostsWithWeight = (spec: RouteObject["spec"]) =>
  (spec["http"] as readonly HttpRule[]).flatMap(({ route }) =>
    route
      .filter(({ weight = 0 }) => route.length === 1 || weight > 0)
      .map(({ destination }) => destination.host),
  );

const destination = (host: string, weight?: number) => ({
  destination: { host },
  ...(weight === undefined ? {} : { weight }),
});

const virtualService = (name: string): RouteObject["spec"] => ({
  hosts: [name],
  http: [
    { match: [{ headers: { "x-canary": { exact: "1" } } }], route: [destination(canaryOf(name))] },
    { route: [destination(canaryOf(name), 10), destination(STABLE, 90)] },
  ],
});
const isVirtualServiceMoved = (spec: RouteObject["spec"]) =>
  hostsWithWeight(spec).join() === [STABLE, STABLE].join();

const gatewayRoute = (name: string): RouteObject["spec"] => ({
  rules: [
    {
      backendRefs: [
        { name: canaryOf(name), port: 80, weight: 1 },
        { name: STABLE, port: 80, weight: 9 },
      ],
    },
  ],
});
const isGatewayMoved = (spec: RouteObject["spec"]) => {
  const [rule] = spec["rules"] as readonly { readonly backendRefs: readonly { readonly weight: number }[] }[];
  return rule?.backendRefs.map(({ weight }) => weight).join() === "0,10";
};

interface ScaledObject extends KubeObject {
  readonly spec: object;
}

const scaledObjectType = defineResource<ScaledObject>({
  apiVersion: "keda.sh/v1alpha1",
  kind: "ScaledObject",
  plural: "scaledobjects",
  namespaced: true,
});

export const canaryCases: readonly ActionCase<CanarySpec>[] = [
  routeCase({
    title: "VirtualService and pods",
    kind: "VirtualService",
    step: "virtualService",
    spec: virtualService,
    isMoved: isVirtualServiceMoved,
    edit: { path: "/spec/http/1/route/0/weight", value: 33 },
    replicas: 2,
  }),
  routeCase({
    title: "VirtualServices of one host, pods scaled by KEDA",
    kind: "VirtualService",
    step: "virtualService",
    spec: virtualService,
    async beside(stage, name) {
      await addRoute(stage, "VirtualService", `${name}-more`, virtualService(name), { team: "core" });
      await stage.world.client.create(
        scaledObjectType,
        {
          metadata: { namespace: stage.shop.namespace, name: `${name}-keda` },
          spec: { scaleTargetRef: { name: canaryOf(name) } },
        },
        { signal },
      );
    },
    isMoved: isVirtualServiceMoved,
    edit: { path: "/spec/http/1/route/0/weight", value: 33 },
    annotations: { "team/pager": "core" },
    replicas: 1,
  }),
  routeCase({
    title: "HTTPRoute and pods",
    kind: "HTTPRoute",
    step: "httpRoute",
    spec: (name) => ({
      rules: [
        ...(gatewayRoute(name)["rules"] as object[]),
        { matches: [{ method: "POST" }], backendRefs: [{ name: canaryOf(name), port: 80 }] },
      ],
    }),
    isMoved: isGatewayMoved,
    edit: { path: "/spec/rules/0/backendRefs/0/weight", value: 33 },
    replicas: 1,
  }),
  routeCase({
    title: "GRPCRoute alone",
    kind: "GRPCRoute",
    step: "grpcRoute",
    spec: gatewayRoute,
    isMoved: isGatewayMoved,
    edit: { path: "/spec/rules/0/backendRefs/0/weight", value: 33 },
  }),
];
