import { defineResource } from "../kube/objects.ts";
import { serviceOf, type Destination } from "./destination.ts";
import {
  entriesOf,
  numberOf,
  roleOf,
  type Move,
  type RouteKind,
  type RouteObject,
  type Rule,
  type Sending,
} from "./route-kind.ts";
import { shiftWeights, type Share } from "./shift-weights.ts";

/** What the Gateway API allows for a weight. */
const MAX_WEIGHT = 1_000_000;

const CLUSTER_DOMAIN = "cluster.local";

export const httpRouteKind = gatewayRouteKind("HTTPRoute", "httproutes");
export const grpcRouteKind = gatewayRouteKind("GRPCRoute", "grpcroutes");

/** HTTPRoute and GRPCRoute differ in what rules match, not in where they send. */
function gatewayRouteKind(kind: string, plural: string): RouteKind {
  return {
    type: defineResource<RouteObject>({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind,
      plural,
      namespaced: true,
    }),
    lists: ["rules"],
    canName: ({ host, subset }, namespace) =>
      subset === undefined && serviceOf(host, namespace) !== undefined,
    sendings(rule, namespace) {
      const refs = entriesOf(rule["backendRefs"]);
      return [
        ...refs.flatMap((ref) => sending(ref, namespace, false)),
        ...[rule, ...refs].flatMap(({ filters }) =>
          entriesOf(filters).flatMap((filter) => sending(mirrored(filter), namespace, true)),
        ),
      ];
    },
    move(rule, move) {
      return withBackends(withoutMirrors(rule, move), move);
    },
    unsettled,
  };
}

function sending(ref: Rule | undefined, namespace: string, isMirror: boolean): readonly Sending[] {
  const destination = destinationOf(ref, namespace);
  return destination === undefined
    ? []
    : [{ destination, isMirror, isServed: isMirror || weightOf(ref ?? {}) > 0 }];
}

/** The backend of a filter that mirrors. */
function mirrored({ type, requestMirror }: Rule): Rule | undefined {
  return type === "RequestMirror" ? ((requestMirror as Rule | undefined)?.["backendRef"] as Rule) : undefined;
}

/** A Service, or a host by Istio's own kind of reference; undefined for what we do not know. */
function destinationOf(ref: Rule | undefined, namespace: string): Destination | undefined {
  if (ref === undefined) return undefined;
  const { group = "", kind = "Service", name, namespace: of = namespace, port } = ref;
  if (typeof name !== "string" || typeof of !== "string") return undefined;
  const at = numberOf(port) === undefined ? {} : { port: numberOf(port) };
  if (group === "" && kind === "Service") return { host: `${name}.${of}.svc.${CLUSTER_DOMAIN}`, ...at };
  return group === "networking.istio.io" && kind === "Hostname" ? { host: name, ...at } : undefined;
}

/** Absent is 1. One backend alone with weight 0 gets nothing, unlike in Istio. */
function weightOf(ref: Rule): number {
  return numberOf(ref["weight"]) ?? 1;
}

function withBackends(rule: Rule, move: Move): Rule {
  const refs = entriesOf(rule["backendRefs"]);
  const before = refs.map((ref): Share => ({ role: roleFor(ref, move), weight: weightOf(ref) }));
  const after = shiftWeights(before, MAX_WEIGHT);
  if (after === before) return rule;
  return {
    ...rule,
    backendRefs: refs.map((ref, index) => {
      const share = after[index];
      if (share === undefined || share === before[index]) return ref;
      // What else the canary's reference says, such as its own filters, is the canary's.
      const written = share.role === before[index]?.role ? ref : stableInstead(ref, move);
      return { ...written, weight: share.weight };
    }),
  };
}

function roleFor(ref: Rule, move: Move): Share["role"] {
  return roleOf(destinationOf(ref, move.namespace), move);
}

function stableInstead(canary: Rule, { stable, namespace }: Move): Rule {
  const service = serviceOf(stable.host, namespace);
  if (service === undefined) throw new TypeError(`"${stable.host}" is not a Service`);
  const port = stable.port ?? numberOf(canary["port"]);
  return {
    // As the API server would complete it: the defaults of the kind.
    group: "",
    kind: "Service",
    name: service.name,
    ...(service.namespace === namespace ? {} : { namespace: service.namespace }),
    ...(port === undefined ? {} : { port }),
  };
}

/** Of the rule and of each of its backends. */
function withoutMirrors(rule: Rule, move: Move): Rule {
  const own = unmirrored(rule, move);
  const refs = entriesOf(own["backendRefs"]);
  const kept = refs.map((ref) => unmirrored(ref, move));
  return kept.every((ref, index) => ref === refs[index]) ? own : { ...own, backendRefs: kept };
}

function unmirrored(holder: Rule, move: Move): Rule {
  const filters = entriesOf(holder["filters"]);
  const kept = filters.filter((filter) => {
    const ref = mirrored(filter);
    return ref === undefined || roleFor(ref, move) !== "canary";
  });
  if (kept.length === filters.length) return holder;
  const { filters: _, ...rest } = holder;
  return kept.length === 0 ? rest : { ...rest, filters: kept };
}

/** Every Gateway that has taken the route up says so for its newest generation. */
function unsettled({ kind, metadata, status }: RouteObject): string | undefined {
  for (const parent of entriesOf(status?.["parents"])) {
    const who = `${kind}/${metadata.name} of Gateway ${textOf((parent["parentRef"] as Rule | undefined)?.["name"])}`;
    const conditions = entriesOf(parent["conditions"]);
    for (const name of ["Accepted", "ResolvedRefs"]) {
      const condition = conditions.find(({ type }) => type === name);
      if (condition === undefined) continue;
      const { observedGeneration, status: holds, message, reason } = condition;
      if ((numberOf(observedGeneration) ?? 0) < (metadata.generation ?? 0)) {
        return `the controller has not seen the newest ${who} yet`;
      }
      if (holds !== "True") return `${who} is not ${name}: ${textOf(message) || textOf(reason)}`;
    }
  }
  return undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
