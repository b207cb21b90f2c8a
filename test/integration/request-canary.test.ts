import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { PAUSED_REPLICAS } from "../../src/actions/autoscalers.ts";
import type { RouteObject } from "../../src/traffic/route-kind.ts";
import { readAudit } from "../cluster/audit.ts";
import { addRoute, addServiceOf, editRoute, liveRoute, openStable, STABLE } from "../support/canaries.ts";
import { inParallel } from "../support/in-parallel.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

const signal = new AbortController().signal;
const to = (host: string, rest: object = {}, subset?: string) => ({
  destination: { host, ...(subset === undefined ? {} : { subset }) },
  ...rest,
});
const split = (weight: number) => [to("canary", { weight }), to(STABLE, { weight: 100 - weight })];

/** The step of every story, but for what is special about it. */
const out = (change: PartialSpec = {}, timeout = "1m") => ({
  steps: [
    {
      name: "traffic",
      timeout,
      canary: {
        virtualService: "web",
        canary: { host: "canary" },
        stable: { host: STABLE },
        drain: "1s",
        scaleDown: { kind: "Deployment", name: "canary" },
        ...change,
      },
    },
  ],
  verification: { checks: [] },
});

describe("a step that takes traffic from a canary", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await Promise.all([installRouteCrds(world.kubectl), installOwnerCrds(world.kubectl)]);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** Both versions with a Service each; the routes are the story's. */
  async function open(namespace: string): Promise<{ readonly world: World; readonly shop: Shop }> {
    const shop = await openShop(world, namespace, { actions: ["canary"] });
    const place = { world, shop };
    await Promise.all([openStable(place), shop.open("canary"), addServiceOf(place, "canary")]);
    return place;
  }

  async function writes({ namespace, executor }: Shop) {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit.writes({ namespace, actor: executor });
  }
  const namesOf = (events: Awaited<ReturnType<typeof writes>>) =>
    events.map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"));
  const httpOf = ({ spec }: RouteObject) => spec["http"];
  const waits = (shop: Shop, request: string, words: string) =>
    until(
      `${request} waits: ${words}`,
      () => shop.request(request),
      (seen) => readyOf(seen).message.includes(words),
    );

  async function emptiesEveryRoute(): Promise<void> {
    const { shop } = await open("every-route");
    const place = { world, shop };
    await addRoute(place, "VirtualService", "web", {
      hosts: ["web"],
      http: [
        { match: [{ headers: { cookie: { regex: ".*canary.*" } } }], route: [to("canary")] },
        { match: [{ uri: { prefix: "/admin" } }], delegate: { name: "admin" } },
        {
          route: [to(STABLE), to("canary.every-route.svc.cluster.local", { weight: 100 })],
          mirror: { host: "canary" },
          mirrorPercentage: { value: 5 },
        },
      ],
      tls: [{ match: [{ sniHosts: ["web"] }], route: split(30) }],
      tcp: [{ route: [to("canary")] }],
    });
    await addRoute(place, "VirtualService", "admin", { http: [{ route: split(50) }] });
    await addRoute(place, "VirtualService", "other", { hosts: ["other"], http: [{ route: [to(STABLE)] }] });
    await addRoute(place, "HTTPRoute", "edge", {
      rules: [{ backendRefs: [{ name: "canary", port: 80 }] }],
    });

    await shop.ask("out", undefined, out());
    const ended = await shop.ended("out");

    expect(readyOf(ended)).toMatchObject({ message: `moved traffic to ${STABLE}; no check was asked for` });
    const web = await liveRoute(place, "VirtualService", "web");
    expect(web.spec).toEqual({
      hosts: ["web"],
      http: [
        { match: [{ headers: { cookie: { regex: ".*canary.*" } } }], route: [to(STABLE)] },
        { match: [{ uri: { prefix: "/admin" } }], delegate: { name: "admin" } },
        {
          route: [to(STABLE, { weight: 100 }), to("canary.every-route.svc.cluster.local", { weight: 0 })],
        },
      ],
      tls: [{ match: [{ sniHosts: ["web"] }], route: split(0) }],
      tcp: [{ route: [to(STABLE)] }],
    });
    expect(httpOf(await liveRoute(place, "VirtualService", "admin"))).toEqual([{ route: split(0) }]);
    const edge = await liveRoute(place, "HTTPRoute", "edge");
    expect(edge.spec["rules"]).toMatchObject([{ backendRefs: [{ name: STABLE, port: 80, weight: 1 }] }]);
    expect((await shop.live("canary")).spec.replicas).toBe(0);
    const events = await writes(shop);
    expect(namesOf(events).toSorted()).toEqual(["admin", "canary/scale", "edge", "web"]);
    expect(namesOf(events)[0]).toBe("web");
    // Pods go when the requests that were under way had their time.
    const [route, pods] = [events.at(-2), events.at(-1)].map((event) =>
      Date.parse(event?.requestReceivedTimestamp ?? ""),
    );
    expect((pods ?? 0) - (route ?? 0)).toBeGreaterThanOrEqual(1_000);
    const planned = ended.status?.plan?.steps[0];
    expect(planned?.changes).toEqual(
      expect.arrayContaining(["VirtualService/web spec.tcp[0]", "Deployment/canary spec.replicas"]),
    );
    expect(planned?.warnings).toContainEqual(
      expect.stringContaining("HTTPRoute/edge sends to the canary as well"),
    );
    // Values of routes, such as headers to set, may be secrets: they are no part of the status.
    expect(JSON.stringify(ended.status)).not.toContain("cookie");

    await shop.ask("again", undefined, out());
    expect(readyOf(await shop.ended("again")).reason).toBe("NothingToDo");
  }

  async function goesBySubsets(): Promise<void> {
    const { shop } = await open("subsets");
    const place = { world, shop };
    const labels = (version: string) => ({ labels: { version } });
    for (const version of ["v1", "v2"]) {
      await shop.open(`api-${version}`, {
        spec: { selector: { matchLabels: { app: "api", version } } },
        template: (template) => ({ ...template, metadata: { labels: { app: "api", version } } }),
      });
    }
    await addServiceOf(place, "api");
    const destinationRule = {
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: { name: "api", namespace: shop.namespace },
      spec: {
        host: "api",
        subsets: ["v1", "v2"].map((version) => ({ name: version, ...labels(version) })),
      },
    };
    await world.kubectl(["apply", "-f", "-"], JSON.stringify(destinationRule));
    await addRoute(place, "VirtualService", "api", {
      hosts: ["api"],
      http: [
        { match: [{ uri: { prefix: "/plain" } }], route: [to("api")] },
        { route: [to("api", { weight: 80 }, "v1"), to("api", { weight: 20 }, "v2")] },
      ],
    });
    const canary = { host: "api", subset: "v2" };
    const step = (stable: object, scaleDown: string) =>
      out({ virtualService: "api", canary, stable, scaleDown: { kind: "Deployment", name: scaleDown } });

    // What would hit the wrong version is refused, and says so.
    for (const [name, spec, words] of [
      ["whole", step({ host: "api" }, "api-v2"), "reaches the pods of `canary`"],
      ["mixed-up", step({ host: "api", subset: "v1" }, "api-v1"), "are those behind `stable`"],
    ] as const) {
      await shop.ask(name, undefined, spec);
      expect(readyOf(await shop.ended(name))).toMatchObject({
        reason: "InvalidSteps",
        message: expect.stringContaining(words),
      });
    }
    await shop.ask("out", undefined, step({ host: "api", subset: "v1" }, "api-v2"));
    const ended = await shop.ended("out");

    expect(ended.status?.phase).toBe("Succeeded");
    expect(httpOf(await liveRoute(place, "VirtualService", "api"))).toEqual([
      { match: [{ uri: { prefix: "/plain" } }], route: [to("api", {}, "v1")] },
      { route: [to("api", { weight: 100 }, "v1"), to("api", { weight: 0 }, "v2")] },
    ]);
    expect((await shop.live("api-v2")).spec.replicas).toBe(0);
    expect((await shop.live("api-v1")).spec.replicas).toBe(2);
  }

  async function refuses(): Promise<void> {
    const { shop } = await open("refused");
    const place = { world, shop };
    const rules = [{ route: split(10) }];
    await addRoute(place, "VirtualService", "web", { hosts: ["web"], http: rules });
    await addServiceOf(place, "asleep");
    await shop.open("asleep", { spec: { replicas: 0 } });
    // A canary of its own each, since every route of the namespace that names it is changed.
    const own: Readonly<Record<string, RouteObject["spec"]>> = {
      alone: { hosts: ["alone"], http: [{ route: [to("alone-canary")] }] },
      sleepy: { hosts: ["sleepy"], http: [{ route: [to("sleepy-canary", { weight: 1 }), to("asleep")] }] },
      ported: { hosts: ["ported"], http: [{ route: [withPort("ported-canary")] }, { route: [to(STABLE)] }] },
    };
    for (const [name, spec] of Object.entries(own)) await addRoute(place, "VirtualService", name, spec);
    await addRoute(
      place,
      "VirtualService",
      "owned",
      { hosts: ["owned"], http: [{ route: [to("owned-canary", { weight: 1 }), to(STABLE)] }] },
      {
        "argocd.argoproj.io/tracking-id": "app:networking.istio.io/VirtualService:refused/owned",
      },
    );
    await addRoute(
      place,
      "VirtualService",
      "rollout",
      { hosts: ["rollout"], http: [{ route: [to("rollout-canary", { weight: 1 }), to(STABLE)] }] },
      { "argo-rollouts.argoproj.io/managed-by-rollouts": "web" },
    );
    const { scaleDown: _, ...traffic } = out().steps[0]?.canary ?? {};
    const of = (name: string, change: object = {}) => ({
      ...traffic,
      virtualService: name,
      canary: { host: `${name}-canary` },
      ...change,
    });
    const cases = [
      ["alone", of("alone"), "NoStableDestination", `no destination ${STABLE}`],
      [
        "sleepy",
        of("sleepy", { stable: { host: "asleep" } }),
        "StableNotReady",
        "no pod behind asleep is Ready",
      ],
      ["ported", of("ported"), "StableNotReady", "has no port 9090"],
      ["owned", of("owned"), "TargetOwned", "managed by Argo CD Application app"],
      ["rollout", of("rollout"), "TargetOwned", "managed by Argo Rollouts (web)"],
      ["gone", of("gone"), "TargetNotFound", "VirtualService/gone does not exist"],
      [
        "typo",
        of("web", { canary: { host: "canray" }, scaleDown: { kind: "Deployment", name: "canary" } }),
        "CanaryNotRouted",
        "correct `canary`",
      ],
    ] as const;
    await Promise.all(
      cases.map(async ([name, canary, reason, words]) => {
        const steps = [{ name: "traffic", canary }];
        await shop.ask(name, undefined, { steps, verification: { checks: [] } });
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
  const withPort = (host: string) => ({ destination: { host, port: { number: 9090 } }, weight: 1 });

  async function givesWayWhileItDrains(): Promise<void> {
    const { shop } = await open("meanwhile");
    const place = { world, shop };
    await addRoute(place, "VirtualService", "web", { hosts: ["web"], http: [{ route: split(10) }] });

    await shop.ask("routes", undefined, out({ drain: "30s" }));
    await waits(shop, "routes", "requests have until");
    await editRoute(place, "VirtualService", "web", "/spec/http/0/route", split(60));
    const ended = await shop.ended("routes");

    expect(ended.status?.phase).toBe("Failed");
    expect(readyOf(ended)).toEqual({
      reason: "Superseded",
      message: expect.stringContaining("VirtualService/web was changed by somebody else after the act"),
    });
    expect(httpOf(await liveRoute(place, "VirtualService", "web"))).toEqual([{ route: split(60) }]);
    expect((await shop.live("canary")).spec.replicas).toBe(2);

    await shop.ask("pods", undefined, out({ drain: "30s" }));
    await waits(shop, "pods", "requests have until");
    await world.kubectl(["scale", "deployment/canary", "--replicas=5", "-n", shop.namespace]);
    expect(readyOf(await shop.ended("pods"))).toEqual({
      reason: "Superseded",
      message: expect.stringContaining("Deployment/canary was set to 5 replicas by somebody else"),
    });
    expect((await shop.live("canary")).spec.replicas).toBe(5);
  }

  async function waitsForTheGateway(): Promise<void> {
    const { shop } = await open("gateway");
    const place = { world, shop };
    const backendRefs = [
      { name: "canary", port: 80, weight: 5 },
      { name: STABLE, port: 80, weight: 95 },
    ];
    await addRoute(place, "HTTPRoute", "web", { rules: [{ backendRefs }] });
    const takeUp = (generation: number, resolved: string) => {
      const status = JSON.stringify({ status: { parents: [parentStatus(generation, resolved)] } });
      const what = ["httproute/web", "-n", shop.namespace, "--subresource=status", "--type=merge"];
      return world.kubectl(["patch", ...what, "-p", status]);
    };
    await takeUp(1, "True");

    const { virtualService: _, ...step } = out().steps[0]?.canary ?? {};
    const steps = [{ name: "traffic", canary: { ...step, httpRoute: "web" } }];
    await shop.ask("out", undefined, { steps, verification: { checks: [] } });
    await waits(shop, "out", "has not seen the newest HTTPRoute/web of Gateway edge");
    await takeUp(2, "False");
    await waits(shop, "out", "HTTPRoute/web of Gateway edge is not ResolvedRefs: said the test");
    expect((await shop.live("canary")).spec.replicas).toBe(2);
    await takeUp(2, "True");

    expect((await shop.ended("out")).status?.phase).toBe("Succeeded");
    expect((await shop.live("canary")).spec.replicas).toBe(0);
  }

  const parentStatus = (observedGeneration: number, resolved: string) => ({
    parentRef: { name: "edge" },
    controllerName: "example.org/test",
    conditions: ["Accepted", "ResolvedRefs"].map((type) => ({
      type,
      status: type === "Accepted" ? "True" : resolved,
      observedGeneration,
      lastTransitionTime: "2026-01-01T00:00:00Z",
      reason: "Test",
      message: "said the test",
    })),
  });

  async function mindsAutoscalers(): Promise<void> {
    const { shop } = await open("autoscaled");
    const place = { world, shop };
    await addRoute(place, "VirtualService", "web", { hosts: ["web"], http: [{ route: split(10) }] });
    const scaledObject = {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: { name: "canary", namespace: shop.namespace },
      spec: { scaleTargetRef: { name: "canary" } },
    };
    await world.kubectl(["apply", "-f", "-"], JSON.stringify(scaledObject));

    await shop.ask("out", undefined, out());
    const ended = await shop.ended("out");

    expect(ended.status?.phase).toBe("Succeeded");
    expect(ended.status?.plan?.steps[0]?.warnings).toContainEqual(
      expect.stringContaining("ScaledObject canary is paused at 0 replicas"),
    );
    const live = await world.kubectl(["get", "scaledobject/canary", "-n", shop.namespace, "-o", "json"]);
    expect(JSON.parse(live)).toMatchObject({ metadata: { annotations: { [PAUSED_REPLICAS]: "0" } } });
    expect(namesOf(await writes(shop))).toEqual(["web", "canary", "canary/scale"]);

    const classic = await open("classic");
    await addRoute(classic, "VirtualService", "web", { hosts: ["web"], http: [{ route: split(10) }] });
    await world.kubectl(["autoscale", "deployment/canary", "--min=2", "--max=5", "-n", "classic"]);
    await classic.shop.ask("out", undefined, out());
    const stopped = await classic.shop.ended("out");
    expect(stopped.status?.phase).toBe("Succeeded");
    expect(stopped.status?.plan?.steps[0]?.warnings).toContainEqual(expect.stringContaining("stands still"));
    expect((await classic.shop.live("canary")).spec.replicas).toBe(0);
  }

  async function looksAtDelegatesElsewhere(): Promise<void> {
    const { shop } = await open("delegating");
    const place = { world, shop };
    const elsewhere = await openShop(world, "delegated", { executor: false });
    await addRoute({ world, shop: elsewhere }, "VirtualService", "web", {
      http: [{ route: [to("canary.delegating.svc.cluster.local")] }],
    });
    await addRoute(place, "VirtualService", "web", {
      hosts: ["web"],
      http: [
        { match: [{ uri: { prefix: "/x" } }], delegate: { name: "web", namespace: "delegated" } },
        { route: split(10) },
      ],
    });

    await shop.ask("unseen", undefined, { ...out(), dryRun: true });
    expect((await shop.ended("unseen")).status?.plan?.steps[0]?.warnings).toContainEqual(
      expect.stringMatching(/^unchecked: no right to read VirtualService delegated\/web/),
    );
    const binding = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "rollback-executor", namespace: "delegated" },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "rollback-executor-canary",
      },
      subjects: [{ kind: "ServiceAccount", name: "rollback-executor", namespace: shop.namespace }],
    };
    await world.kubectl(["apply", "-f", "-"], JSON.stringify(binding));
    const executor = world.client.as({ namespace: shop.namespace, name: "rollback-executor" });
    const what = {
      namespace: "delegated",
      group: "networking.istio.io",
      resource: "virtualservices",
      verb: "get",
    };
    await until(
      "the executor may look there",
      () => executor.canI(what, { signal }),
      ({ allowed }) => allowed,
    );
    await shop.ask("seen", undefined, out());
    expect(readyOf(await shop.ended("seen"))).toMatchObject({
      reason: "DelegateElsewhere",
      message: expect.stringContaining("take the canary out of that one first"),
    });
    expect(await writes(shop)).toEqual([]);
  }

  inParallel(
    {
      "empties every route of the namespace, then takes the pods away": emptiesEveryRoute,
      "tells versions apart by subsets": goesBySubsets,
      "refuses what would not hold or would hit the wrong version": refuses,
      "gives way to others while requests end": givesWayWhileItDrains,
      "waits until the Gateway has taken the route up": waitsForTheGateway,
      "pauses KEDA, and leaves a standing HorizontalPodAutoscaler": mindsAutoscalers,
      "looks at delegates of other namespaces": looksAtDelegatesElsewhere,
    },
    TEST_MS,
  );
});
