import type { WorkloadSpec } from "../../../src/actions/workload/index.ts";
import type { Deployment } from "../../../src/kube/well-known.ts";
import type { Rollout } from "../../../src/kube/rollout-types.ts";
import type { StatefulSet } from "../../../src/kube/workload-types.ts";
import { blueGreen, imageOfRollout, PLAIN_CANARY, rolloutsOf } from "../../support/rollouts.ts";
import { setsOf } from "../../support/sets.ts";
import { imageOf } from "../../support/shop.ts";
import type { ActionCase, Stage } from "../action-case.ts";
import { restartByKubectl, setImage, setImageOfStatefulSet } from "./foreign.ts";

const rollouts = ({ world, shop }: Stage) => rolloutsOf(world, shop);
const statefulSets = ({ world, shop }: Stage) => setsOf(world, shop, "StatefulSet");

export const workloadCases: readonly ActionCase<WorkloadSpec>[] = [
  {
    title: "Deployment",
    async open({ shop }, name) {
      await shop.open(name);
      await shop.release("web:v2", name);
      return { kind: "Deployment", name, to: { strategy: "Previous" } };
    },
    live: ({ shop }, name) => shop.live(name),
    part: (object) => (object as Deployment).spec.template,
    hasArrived: (object) => imageOf(object as Deployment) === "web:v1",
    foreignChanges: { "another release": setImage, "a restart": restartByKubectl("deployment") },
  },
  {
    title: "StatefulSet",
    async open(stage, name) {
      await statefulSets(stage).open(name);
      await statefulSets(stage).release("web:v2", name);
      await statefulSets(stage).settled(name);
      return { kind: "StatefulSet", name, to: { strategy: "Previous" } };
    },
    live: (stage, name) => statefulSets(stage).live(name),
    part: (object) => (object as StatefulSet).spec.template,
    hasArrived: (object) => (object as StatefulSet).spec.template.spec?.containers[0]?.image === "web:v1",
    foreignChanges: {
      "another release": setImageOfStatefulSet,
      "a restart": restartByKubectl("statefulset"),
    },
  },
  rolloutCase("Rollout, canary", () => PLAIN_CANARY),
  rolloutCase("Rollout, blue/green", blueGreen),
];

/** Promoted, so that the way back comes to an end as well. */
function rolloutCase(
  title: string,
  strategy: (name: string) => Rollout["spec"]["strategy"] & object,
): ActionCase<WorkloadSpec> {
  return {
    title,
    roles: ["rollout"],
    async open(stage, name) {
      await rollouts(stage).open(name, strategy(name));
      await rollouts(stage).promote("web:v2", name);
      return { kind: "Rollout", name, to: { strategy: "Previous" } };
    },
    live: (stage, name) => rollouts(stage).live(name),
    // The rest of a template is completed when it comes back from a ReplicaSet.
    part: (object) => imageOfRollout(object as Rollout),
    hasArrived: (object) => imageOfRollout(object as Rollout) === "web:v1",
    foreignChanges: {
      "another release": (stage, name) =>
        rollouts(stage).edit(
          [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "web:v9" }],
          name,
        ),
    },
  };
}
