import { NAMESPACE, type Answer, type Target } from "./mesh.ts";

/**
 * What a Gateway does with a request, after https://gateway-api.sigs.k8s.io/reference/spec/: of all rules of all routes
 * of the host the most specific match wins (exact path, then the longest prefix, then a method, then most headers),
 * then the older route, then the earlier rule. Weights are parts of their sum, absent is 1; none above 0 is an error.
 */
export interface GatewayRequest {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpRouteObject {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly rules?: readonly HttpRouteRule[] };
}

interface BackendRef {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  readonly weight?: number;
  readonly filters?: readonly Filter[];
}

interface Filter {
  readonly type: string;
  readonly requestMirror?: { readonly backendRef: BackendRef };
}

interface RouteMatch {
  readonly path?: { readonly type?: string; readonly value?: string };
  readonly method?: string;
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
}

interface HttpRouteRule {
  readonly matches?: readonly RouteMatch[];
  readonly filters?: readonly Filter[];
  readonly backendRefs?: readonly BackendRef[];
}

export function gatewayAnswer(routes: readonly HttpRouteObject[], request: GatewayRequest): Answer {
  const candidates = routes.flatMap((route, age) =>
    (route.spec.rules ?? []).flatMap((rule, order) =>
      (rule.matches?.length ? rule.matches : [{}])
        .filter((match) => matches(match, request))
        .map((match) => ({
          rule,
          namespace: route.metadata.namespace,
          rank: [...rankOf(match), -age, -order],
        })),
    ),
  );
  const [best] = candidates.toSorted((a, b) => compare(b.rank, a.rank));
  return best === undefined ? "NoRoute" : outcomeOf(best.rule, best.namespace);
}

function matches({ path, method, headers = [] }: RouteMatch, request: GatewayRequest): boolean {
  return (
    (method === undefined || method === request.method) &&
    headers.every(({ name, value }) => request.headers[name] === value) &&
    matchesPath(path, request.path)
  );
}

function matchesPath({ type = "PathPrefix", value = "/" }: RouteMatch["path"] = {}, path: string): boolean {
  if (type === "Exact") return path === value;
  const prefix = value.replace(/\/$/, "");
  return path === prefix || path.startsWith(`${prefix}/`);
}

function rankOf({ path, method, headers = [] }: RouteMatch): readonly number[] {
  const { type = "PathPrefix", value = "/" } = path ?? {};
  return [type === "Exact" ? 1 : 0, value.length, method === undefined ? 0 : 1, headers.length];
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

function outcomeOf({ backendRefs = [], filters = [] }: HttpRouteRule, namespace: string): Answer {
  const total = backendRefs.reduce((sum, { weight = 1 }) => sum + weight, 0);
  if (total === 0) return "Refused";
  const parts = new Map<string, number>();
  const mirrors: string[] = mirrorsOf(filters, namespace);
  for (const ref of backendRefs) {
    const part = (ref.weight ?? 1) / total;
    if (part === 0) continue;
    const target = targetOf(ref, namespace);
    parts.set(target, (parts.get(target) ?? 0) + part);
    mirrors.push(...mirrorsOf(ref.filters ?? [], namespace));
  }
  return { parts, mirrors };
}

function mirrorsOf(filters: readonly Filter[], namespace: string): string[] {
  return filters.flatMap(({ type, requestMirror }) =>
    type === "RequestMirror" && requestMirror !== undefined
      ? [targetOf(requestMirror.backendRef, namespace)]
      : [],
  );
}

function targetOf(
  { group = "", kind = "Service", name, namespace = NAMESPACE, port }: BackendRef,
  of: string,
) {
  const at = port === undefined ? {} : { port };
  const isService = group === "" && kind === "Service";
  const isHostname = group === "networking.istio.io" && kind === "Hostname";
  const fqdn = isService
    ? `${name}.${namespace ?? of}.svc.cluster.local`
    : isHostname
      ? name
      : `?${kind}/${name}`;
  return JSON.stringify({ fqdn, ...at } satisfies Target);
}
