import type { Answer, Outcome, Target } from "./mesh.ts";

/**
 * What Istio does with a request, after https://istio.io/latest/docs/reference/config/networking/virtual-service/:
 * first rule that matches wins; weights are parts of their sum; the only destination of a rule gets everything,
 * whatever its weight; of several, one without a weight has 0; a delegate's rules apply within the root's match.
 */
export interface MeshRequest {
  readonly protocol: "http" | "tls" | "tcp";
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly port: number;
}

/** A VirtualService as far as it is evaluated. */
export interface VirtualServiceObject {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly hosts?: readonly string[];
    readonly http?: readonly HttpRule[];
    readonly tls?: readonly TlsRule[];
    readonly tcp?: readonly TcpRule[];
  };
}

interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

interface WireDestination {
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number: number };
}

interface Weighted {
  readonly destination: WireDestination;
  readonly weight?: number;
}

interface HttpMatch {
  readonly uri?: StringMatch;
  readonly headers?: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>>;
  readonly port?: number;
}

interface HttpRule {
  readonly match?: readonly HttpMatch[];
  readonly route?: readonly Weighted[];
  readonly redirect?: object;
  readonly directResponse?: object;
  readonly delegate?: { readonly name: string; readonly namespace?: string };
  readonly mirror?: WireDestination;
  readonly mirrors?: readonly { readonly destination: WireDestination }[];
}

interface TlsRule {
  readonly match: readonly { readonly sniHosts: readonly string[]; readonly port?: number }[];
  readonly route?: readonly Weighted[];
}

interface TcpRule {
  readonly match?: readonly { readonly port?: number }[];
  readonly route?: readonly Weighted[];
}

/** Istio merges the VirtualServices of one host at gateways, in no promised order: each is asked by itself. */
export function answersOf(
  objects: readonly VirtualServiceObject[],
  request: MeshRequest,
): readonly { readonly from: string; readonly answer: Answer }[] {
  return objects
    .filter(({ spec }) => (spec.hosts ?? []).includes(request.host))
    .map((root) => ({ from: root.metadata.name, answer: answerOf(root, request, objects) }));
}

function answerOf(
  { metadata, spec }: VirtualServiceObject,
  request: MeshRequest,
  objects: readonly VirtualServiceObject[],
): Answer {
  if (request.protocol === "http") return httpAnswer(spec.http ?? [], metadata.namespace, request, objects);
  const rules: readonly (TlsRule | TcpRule)[] =
    request.protocol === "tls" ? (spec.tls ?? []) : (spec.tcp ?? []);
  const rule = rules.find(({ match }) => matchesAny(match, (each) => matchesConnection(each, request)));
  return rule === undefined ? "NoRoute" : outcomeOf(rule.route ?? [], [], metadata.namespace);
}

function httpAnswer(
  rules: readonly HttpRule[],
  namespace: string,
  request: MeshRequest,
  objects: readonly VirtualServiceObject[],
): Answer {
  for (const rule of rules) {
    if (!matchesAny(rule.match, (match) => matchesHttp(match, request))) continue;
    if (rule.redirect !== undefined || rule.directResponse !== undefined) return "Answered";
    if (rule.delegate === undefined) {
      const copies = [rule.mirror, ...(rule.mirrors ?? []).map(({ destination }) => destination)];
      return outcomeOf(
        rule.route ?? [],
        copies.filter((copy) => copy !== undefined),
        namespace,
      );
    }
    const { name, namespace: of = namespace } = rule.delegate;
    const delegate = objects.find(({ metadata }) => metadata.name === name && metadata.namespace === of);
    // The delegate's rules stand in the root rule's place: what none of them matches goes on to the next.
    const answer = httpAnswer(delegate?.spec.http ?? [], of, request, []);
    if (answer !== "NoRoute") return answer;
  }
  return "NoRoute";
}

/** No match at all matches everything; of several one is enough. */
function matchesAny<T>(matches: readonly T[] | undefined, isMatch: (match: T) => boolean): boolean {
  return matches === undefined || matches.length === 0 || matches.some(isMatch);
}

function matchesHttp({ uri, headers = {}, withoutHeaders = {}, port }: HttpMatch, request: MeshRequest) {
  return (
    (port === undefined || port === request.port) &&
    (uri === undefined || matchesText(uri, request.path)) &&
    Object.entries(headers).every(([name, want]) => {
      const value = request.headers[name];
      return value !== undefined && matchesText(want, value);
    }) &&
    Object.entries(withoutHeaders).every(([name, no]) => {
      const value = request.headers[name];
      return value === undefined || !matchesText(no, value);
    })
  );
}

/** An empty match of a header is satisfied by its presence. */
function matchesText({ exact, prefix, regex }: StringMatch, value: string): boolean {
  if (exact !== undefined) return value === exact;
  if (prefix !== undefined) return value.startsWith(prefix);
  return regex === undefined || new RegExp(`^(?:${regex})$`).test(value);
}

function matchesConnection(match: object, request: MeshRequest): boolean {
  const { sniHosts, port } = match as { readonly sniHosts?: readonly string[]; readonly port?: number };
  return (port === undefined || port === request.port) && (sniHosts?.includes(request.host) ?? true);
}

function outcomeOf(
  route: readonly Weighted[],
  copies: readonly WireDestination[],
  namespace: string,
): Outcome | "Refused" {
  const only = route.length === 1;
  const total = route.reduce((sum, { weight = 0 }) => sum + weight, 0);
  // A proxy refuses weights that are all 0, and goes on with what it had.
  if (route.length === 0 || (!only && total === 0)) return "Refused";
  const parts = new Map<string, number>();
  for (const { destination, weight = 0 } of route) {
    const part = only ? 1 : weight / total;
    const target = JSON.stringify(targetOf(destination, namespace));
    if (part > 0) parts.set(target, (parts.get(target) ?? 0) + part);
  }
  return { parts, mirrors: copies.map((copy) => JSON.stringify(targetOf(copy, namespace))) };
}

/** A name without a dot is one of the namespace of the VirtualService; any other is complete. */
function targetOf({ host, subset, port }: WireDestination, namespace: string): Target {
  const fqdn = host.includes(".") ? host : `${host}.${namespace}.svc.cluster.local`;
  return {
    fqdn,
    ...(subset === undefined || subset === "" ? {} : { subset }),
    ...(port === undefined ? {} : { port: port.number }),
  };
}
