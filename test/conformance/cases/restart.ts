import { isDeepStrictEqual } from "node:util";
import type { RestartSpec } from "../../../src/actions/restart/index.ts";
import type { Deployment } from "../../../src/kube/well-known.ts";
import type { StatefulSet } from "../../../src/kube/workload-types.ts";
import { setsOf } from "../../support/sets.ts";
import { imageOf } from "../../support/shop.ts";
import type { ActionCase } from "../action-case.ts";
import { restartByKubectl, setImage, setImageOfStatefulSet } from "./foreign.ts";

const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";

function annotationsOf(object: unknown): Readonly<Record<string, string>> {
  return (object as Deployment).spec.template.metadata?.annotations ?? {};
}

function restartCase(title: string, annotations: Readonly<Record<string, string>>): ActionCase<RestartSpec> {
  return {
    title: `Deployment ${title}`,
    async open({ shop }, name) {
      await shop.open(name, {
        template: (template) => ({ ...template, metadata: { ...template.metadata, annotations } }),
      });
      return { kind: "Deployment", name };
    },
    live: ({ shop }, name) => shop.live(name),
    part: (object) => (object as Deployment).spec.template,
    hasArrived: (object, plan) =>
      imageOf(object as Deployment) === "web:v1" &&
      isDeepStrictEqual(annotationsOf(object), { ...annotations, [RESTARTED_AT]: plan.to?.restartedAt }),
    foreignChanges: { "another release": setImage, "a restart": restartByKubectl("deployment") },
  };
}

const statefulSet: ActionCase<RestartSpec> = {
  title: "StatefulSet",
  async open({ world, shop }, name) {
    await setsOf(world, shop, "StatefulSet").open(name);
    return { kind: "StatefulSet", name };
  },
  live: ({ world, shop }, name) => setsOf(world, shop, "StatefulSet").live(name),
  part: (object) => (object as StatefulSet).spec.template,
  hasArrived: (object, plan) => annotationsOf(object)[RESTARTED_AT] === plan.to?.restartedAt,
  foreignChanges: {
    "another release": setImageOfStatefulSet,
    "a restart": restartByKubectl("statefulset"),
  },
};

export const restartCases: readonly ActionCase<RestartSpec>[] = [
  statefulSet,
  restartCase("that was never restarted", {}),
  restartCase("that was restarted before", { [RESTARTED_AT]: "2026-01-01T00:00:00Z", "team/pager": "core" }),
];
