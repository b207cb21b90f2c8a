import { defineResource } from "../kube/objects.ts";
import type { Destination } from "./destination.ts";
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

const virtualServiceType = defineResource<RouteObject>({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  plural: "virtualservices",
  namespaced: true,
});

/** int32. */
const MAX_WEIGHT = 2_147_483_647;

/** What a rule whose weights are all 0 gives to the one that is to have everything. */
const WHOLE = 100;

/**
 * Istio's routes: rules of `http`, `tls` and `tcp` alike have a weighted list `route`, those of `http` may mirror.
 * Rules are tried in their order, so each is rewritten by itself, whatever it matches.
 */
export const virtualServiceKind: RouteKind = {
  type: virtualServiceType,
  lists: ["http", "tls", "tcp"],
  canName: () => true,
  sendings(rule) {
    const route = entriesOf(rule["route"]);
    const weights = weightsOf(route);
    return [
      ...route.flatMap((entry, index) => sending(entry["destination"], false, (weights[index] ?? 0) > 0)),
      ...sending(rule["mirror"], true, true),
      ...entriesOf(rule["mirrors"]).flatMap((entry) => sending(entry["destination"], true, true)),
    ];
  },
  move(rule, move) {
    return withoutMirrors(withRoute(rule, move), move);
  },
  // Istio writes no status by default.
  unsettled: () => undefined,
};

function sending(value: unknown, isMirror: boolean, isServed: boolean): readonly Sending[] {
  const destination = destinationOf(value);
  return destination === undefined ? [] : [{ destination, isMirror, isServed }];
}

function destinationOf(value: unknown): Destination | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { host, subset, port } = value as Rule;
  if (typeof host !== "string") return undefined;
  return {
    host,
    // An empty string is an unset field in protobuf.
    ...(typeof subset === "string" && subset !== "" ? { subset } : {}),
    ...portOf(port),
  };
}

function portOf(port: unknown): { readonly port?: number } {
  const number = numberOf((port as Rule | undefined)?.["number"]);
  return number === undefined ? {} : { port: number };
}

/** As Istio counts: the only destination of a rule gets everything, of several one without a weight gets nothing. */
function weightsOf(route: readonly Rule[]): readonly number[] {
  if (route.length === 1) return [1];
  return route.map((entry) => numberOf(entry["weight"]) ?? 0);
}

function withRoute(rule: Rule, move: Move): Rule {
  const route = entriesOf(rule["route"]);
  const roles = route.map((entry) => roleOf(destinationOf(entry["destination"]), move));
  const before = sharesOf(route, roles);
  const after = shiftWeights(before, MAX_WEIGHT);
  if (after === before) return rule;
  return {
    ...rule,
    route: route.map((entry, index) => {
      const share = after[index];
      if (share === undefined || share === before[index]) return entry;
      // What else the canary's entry says, such as headers to add, is the canary's.
      const written =
        share.role === roles[index] ? entry : { destination: stableInstead(entry["destination"], move) };
      return withWeight(written, entry, route.length === 1 ? undefined : share.weight);
    }),
  };
}

/** Weights that are all 0 are no valid rule; what a proxy makes of one is not known, so the canary counts as served. */
function sharesOf(route: readonly Rule[], roles: readonly Share["role"][]): readonly Share[] {
  const weights = weightsOf(route);
  const isIdle = weights.every((weight) => weight === 0);
  const first = roles.indexOf("canary");
  return roles.map((role, index) => ({
    role,
    weight: isIdle && index === first ? WHOLE : (weights[index] ?? 0),
  }));
}

function withWeight(written: Rule, entry: Rule, weight: number | undefined): Rule {
  if (weight !== undefined) return { ...written, weight };
  return entry["weight"] === undefined ? written : { ...written, weight: entry["weight"] };
}

/** The stable destination for the canary's place; of a Service with several ports the place tells which. */
function stableInstead(canary: unknown, { stable }: Move): Rule {
  const { host, subset } = stable;
  const port = stable.port === undefined ? portOf((canary as Rule)["port"]).port : stable.port;
  return {
    host,
    ...(subset === undefined ? {} : { subset }),
    ...(port === undefined ? {} : { port: { number: port } }),
  };
}

function withoutMirrors(rule: Rule, move: Move): Rule {
  const isCanary = (value: unknown) => roleOf(destinationOf(value), move) === "canary";
  const single = isCanary(rule["mirror"]) ? without(rule, SINGLE_MIRROR) : rule;
  const mirrors = entriesOf(single["mirrors"]);
  const kept = mirrors.filter((entry) => !isCanary(entry["destination"]));
  if (kept.length === mirrors.length) return single;
  return kept.length === 0 ? without(single, ["mirrors"]) : { ...single, mirrors: kept };
}

/** The destination and both ways to say how much of the traffic it gets; `mirror_percent` is the oldest spelling. */
const SINGLE_MIRROR = ["mirror", "mirrorPercent", "mirror_percent", "mirrorPercentage"];

function without(rule: Rule, members: readonly string[]): Rule {
  return Object.fromEntries(Object.entries(rule).filter(([name]) => !members.includes(name)));
}
