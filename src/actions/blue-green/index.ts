import type { Action, Right } from "../action.ts";
import { rightsToMove } from "../live-value.ts";
import { applyBlueGreen } from "./apply.ts";
import { narrowBlueGreen, type BlueGreenPlan, type BlueGreenSpec } from "./end.ts";
import { observeBlueGreen } from "./observe.ts";
import { planBlueGreen } from "./plan.ts";
import { reverseBlueGreen } from "./reverse.ts";

export type { BlueGreenPlan, BlueGreenSpec } from "./end.ts";

export interface BlueGreenOptions {
  /** How long image and configuration errors of the colour's pods are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** Gives a Service's traffic to the pods of another colour, by one value of its selector. */
export function blueGreenAction({ stuckAfterMs }: BlueGreenOptions): Action<BlueGreenSpec, BlueGreenPlan> {
  return {
    kind: "blueGreen",
    makesRelease: false,
    changesTemplate: false,
    objectOf: ({ service }) => `Service/${service}`,
    requiredRights,
    lockKeys: ({ service, colors }, namespace) => [
      { group: "", kind: "Service", namespace, name: service },
      ...colors.map(({ kind, name }) => ({ group: "apps", kind, namespace, name })),
    ],
    plan: planBlueGreen,
    narrow: narrowBlueGreen,
    apply: (plan, context) => applyBlueGreen(plan, context, stuckAfterMs()),
    observe: observeBlueGreen,
    reverse: reverseBlueGreen,
  };
}

function requiredRights({ service, colors, afterHold }: BlueGreenSpec): readonly Right[] {
  const services = { apiGroup: "", resource: "services" };
  const kinds = new Set(colors.map(({ kind }) => kind));
  return [
    { ...services, verb: "get", name: service },
    { ...services, verb: "patch", name: service },
    // Who else would be left without pods?
    ...(afterHold === "ScaleDown" ? [{ ...services, verb: "list" }] : []),
    { apiGroup: "discovery.k8s.io", resource: "endpointslices", verb: "list" },
    { apiGroup: "", resource: "pods", verb: "list" },
    ...(kinds.has("Deployment") ? [{ apiGroup: "apps", resource: "replicasets", verb: "list" }] : []),
    ...colors.flatMap(({ kind, name }) => rightsToMove({ change: "Replicas", object: `${kind}/${name}` })),
  ];
}
