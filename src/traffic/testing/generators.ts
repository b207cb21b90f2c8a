import fc from "fast-check";
import { NAMESPACE } from "./mesh.ts";
import type { MeshRequest, VirtualServiceObject } from "./virtual-service-evaluator.ts";
import type { GatewayRequest, HttpRouteObject } from "./gateway-evaluator.ts";

const HOST = "api";
const HEADERS = ["x-canary", "cookie"];
const VALUES = ["always", "never", "canary=1"];
const PATHS = ["/", "/a", "/a/b", "/ab", "/c"];
const PORTS = [80, 9090];

const header = fc.constantFrom(...HEADERS);
const value = fc.constantFrom(...VALUES);
const path = fc.constantFrom(...PATHS);
const port = fc.constantFrom(...PORTS);
const weight = fc.oneof(fc.constantFrom(0, 1, 50, 100), fc.integer({ min: 0, max: 1_000_000 }));

const stringMatch = (text: fc.Arbitrary<string>) =>
  fc.oneof(
    text.map((exact) => ({ exact })),
    text.map((prefix) => ({ prefix })),
    text.map((literal) => ({ regex: `${literal}.*` })),
  );

/** Every spelling of every place there is, and of some that only look alike. */
const destination = fc
  .record(
    {
      host: fc.constantFrom(
        ...["api", "api-canary", "api-stable", "other"].flatMap((name) => [
          name,
          `${name}.${NAMESPACE}.svc.cluster.local`,
        ]),
        "api-canary.elsewhere.svc.cluster.local",
        "api-canary.example.org",
      ),
      subset: fc.constantFrom("stable", "canary", "beta", ""),
      port: port.map((number) => ({ number })),
    },
    { requiredKeys: ["host"] },
  )
  .map(({ host, subset, ...rest }) =>
    // Subsets are those of one Service.
    subset !== undefined && (host === "api" || host.startsWith("api."))
      ? { host, subset, ...rest }
      : { host, ...rest },
  );

const weighted = fc.record(
  {
    destination,
    weight,
    headers: fc.constant({ request: { set: { "x-version": "new" } } }),
  },
  { requiredKeys: ["destination"] },
);
const route = fc.array(weighted, { minLength: 1, maxLength: 4 });

const httpMatch = fc.record(
  {
    uri: stringMatch(path),
    headers: fc.dictionary(header, stringMatch(value), { maxKeys: 2 }),
    withoutHeaders: fc.dictionary(header, stringMatch(value), { maxKeys: 1 }),
    port,
  },
  { requiredKeys: [] },
);
const match = fc.option(fc.array(httpMatch, { minLength: 1, maxLength: 2 }), { nil: undefined });
const mirrors = fc.record(
  {
    mirror: destination,
    mirrorPercentage: fc.constant({ value: 10 }),
    mirrors: fc.array(fc.record({ destination, percentage: fc.constant({ value: 5 }) }), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const routed = fc.tuple(fc.record({ route }), mirrors).map(([a, b]) => ({ ...a, ...b }));

function httpRule(delegates: readonly string[]) {
  const actions: fc.Arbitrary<object>[] = [
    routed,
    routed,
    routed,
    fc.constant({ redirect: { uri: "/elsewhere" } }),
    fc.constant({ directResponse: { status: 503 } }),
  ];
  if (delegates.length > 0) {
    actions.push(fc.constantFrom(...delegates).map((name) => ({ delegate: { name } })));
  }
  return fc
    .tuple(match, fc.oneof(...actions))
    .map(([each, action]) => ({ ...(each === undefined ? {} : { match: each }), ...action }));
}

const connection = (isTls: boolean) =>
  fc.record({
    match: fc.array(
      fc.record({ port }, { requiredKeys: [] }).map((each) => (isTls ? { ...each, sniHosts: [HOST] } : each)),
      { minLength: 1, maxLength: 2 },
    ),
    route,
  });

function virtualService(name: string, delegates: readonly string[]): fc.Arbitrary<VirtualServiceObject> {
  const isDelegate = delegates.length === 0;
  return fc
    .record(
      {
        http: fc.array(httpRule(delegates), { maxLength: 4 }),
        ...(isDelegate
          ? {}
          : {
              tls: fc.array(connection(true), { maxLength: 2 }),
              tcp: fc.array(connection(false), { maxLength: 2 }),
            }),
      },
      { requiredKeys: [] },
    )
    .map((spec) => ({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name, namespace: NAMESPACE },
      spec: { ...(isDelegate ? {} : { hosts: [HOST] }), ...spec } as VirtualServiceObject["spec"],
    }));
}

/** Several objects for one host, two of which are delegates of the others. */
export const virtualServices = fc.tuple(
  virtualService("api", ["delegate-a", "delegate-b"]),
  virtualService("api-again", ["delegate-a", "delegate-b"]),
  virtualService("delegate-a", []),
  virtualService("delegate-b", []),
);

export const meshRequest: fc.Arbitrary<MeshRequest> = fc.record({
  protocol: fc.constantFrom("http", "http", "tls", "tcp"),
  host: fc.constant(HOST),
  path,
  headers: fc.dictionary(header, value, { maxKeys: 2 }),
  port,
});

const backendName = fc.oneof(
  fc.constantFrom("api-canary", "api-stable", "other").map((name) => ({ name })),
  fc.constantFrom("api-canary", "api-stable").map((name) => ({ name, group: "", kind: "Service" })),
  fc.constantFrom(NAMESPACE, "elsewhere").map((namespace) => ({ name: "api-canary", namespace })),
  fc.constant({
    group: "networking.istio.io",
    kind: "Hostname",
    name: `api-canary.${NAMESPACE}.svc.cluster.local`,
  }),
  fc.constant({ group: "example.org", kind: "Bucket", name: "api-canary" }),
);
const backendRef = fc
  .tuple(backendName, fc.record({ port, weight }, { requiredKeys: ["port"] }))
  .map(([name, rest]) => ({ ...name, ...rest }));

const mirrorFilter = fc.tuple(backendName, port).map(([name, at]) => ({
  type: "RequestMirror",
  requestMirror: { backendRef: { ...name, port: at } },
}));
/** The kind takes one filter that modifies headers at most. */
const filters = fc
  .tuple(
    fc.array(mirrorFilter, { maxLength: 2 }),
    fc.constantFrom([], [{ type: "RequestHeaderModifier", requestHeaderModifier: { remove: ["x-old"] } }]),
  )
  .map(([mirrored, modifiers]) => [...mirrored, ...modifiers]);
const backend = fc
  .tuple(backendRef, fc.option(filters, { nil: undefined }))
  .map(([ref, own]) => (own === undefined ? ref : { ...ref, filters: own }));

const gatewayRule = fc.record(
  {
    matches: fc.array(
      fc.record(
        {
          path: fc.record({ type: fc.constantFrom("Exact", "PathPrefix"), value: path }),
          method: fc.constantFrom("GET", "POST"),
          headers: fc.uniqueArray(fc.record({ name: header, value }), {
            maxLength: 2,
            selector: ({ name }) => name,
          }),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 2 },
    ),
    filters,
    backendRefs: fc.array(backend, { maxLength: 4 }),
  },
  { requiredKeys: [] },
);

export const httpRoutes: fc.Arbitrary<readonly HttpRouteObject[]> = fc.array(
  fc.array(gatewayRule, { minLength: 1, maxLength: 4 }).map((rules) => ({
    metadata: { name: "api", namespace: NAMESPACE },
    spec: { rules },
  })),
  { minLength: 1, maxLength: 3 },
);

export const gatewayRequest: fc.Arbitrary<GatewayRequest> = fc.record({
  path,
  method: fc.constantFrom("GET", "POST"),
  headers: fc.dictionary(header, value, { maxKeys: 2 }),
});
