import { z } from "zod";
import { cel, limitedDuration, meta, objectName, text } from "./common.ts";

export const TrafficDestination = z
  .object({
    host: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
      .meta(
        meta(
          "A Service of the namespace of the request by its name, or any full name, as the routes have it.",
        ),
      ),
    subset: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
      .optional()
      .meta(
        meta("Name of a subset of the host, as a DestinationRule of Istio defines it. Default: all of it."),
      ),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .meta(meta("A port of the host. Default: all of them; the port of the place that the routes name.")),
  })
  .meta(meta("Where routes send requests."));
export type TrafficDestination = z.output<typeof TrafficDestination>;

/** `api`, `api (subset canary)`, `api:8080`. */
export function destinationText({ host, subset, port }: TrafficDestination): string {
  const where = port === undefined ? host : `${host}:${port}`;
  return subset === undefined ? where : `${where} (subset ${subset})`;
}

export const CanaryStep = z
  .object({
    virtualService: objectName(
      "Name of an Istio VirtualService, in the namespace of the request.",
    ).optional(),
    httpRoute: objectName("Name of a Gateway API HTTPRoute, in the namespace of the request.").optional(),
    grpcRoute: objectName("Name of a Gateway API GRPCRoute, in the namespace of the request.").optional(),
    canary: TrafficDestination.meta(meta("Where no request may arrive any more.")),
    stable: TrafficDestination.meta(meta("Where the canary's requests go instead.")),
    drain: limitedDuration(
      "How long requests that are under way get to end, from the last change of a route on.",
      "0s",
      "1h",
    ).default("30s"),
    scaleDown: z
      .object({
        kind: z.enum(["Deployment", "StatefulSet"]).meta(meta("Kind of the workload.")),
        name: objectName("Name of the workload, in the namespace of the request."),
      })
      .optional()
      .meta(meta("The canary's own workload, which gets 0 replicas once it is drained. Default: none.")),
  })
  .meta(
    meta(
      "Take all traffic from a canary, in every route of the namespace, then its pods.",
      cel(
        {
          rule: "[has(self.virtualService), has(self.httpRoute), has(self.grpcRoute)].filter(x, x).size() == 1",
          message: "must have exactly one of `virtualService`, `httpRoute`, `grpcRoute`",
        },
        {
          rule: "has(self.virtualService) || (!has(self.canary.subset) && !has(self.stable.subset))",
          message:
            "a `subset` is Istio's: name Services as `canary` and `stable` of an HTTPRoute or GRPCRoute",
        },
      ),
    ),
  );
export type CanaryStep = z.output<typeof CanaryStep>;

/** A route as a plan knows it: by its identity and a digest of its rules. */
export const RouteState = z
  .object({
    object: text("The route, as Kind/name.", 320),
    uid: text("UID of the route.", 64),
    digest: text("Digest of its rules.", 64),
  })
  .meta(meta("The rules of a route, by their digest."));
export type RouteState = z.output<typeof RouteState>;

export const Traffic = z
  .object({
    destination: TrafficDestination,
    routes: z
      .array(RouteState)
      .min(1)
      .max(64)
      .meta(meta("The routes that say so.", { "x-kubernetes-list-type": "atomic" })),
  })
  .meta(meta("Where requests go."));
export type Traffic = z.output<typeof Traffic>;

export const CanaryPlan = z
  .object({
    drain: text("How long requests that are under way get to end.", 20),
    restores: z.literal(true).optional().meta(meta("It puts back what a canary step took away.")),
    workload: z
      .object({ object: text("The workload, as Kind/name.", 320), uid: text("Its UID.", 64) })
      .optional()
      .meta(meta("The canary's own workload.")),
    scaledObject: z
      .object({ name: objectName("Name of the ScaledObject."), uid: text("Its UID.", 64) })
      .optional()
      .meta(meta("KEDA's object that scales it, which is paused.")),
  })
  .meta(meta("What else a canary step does."));
export type CanaryPlan = z.output<typeof CanaryPlan>;
