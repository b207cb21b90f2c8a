import type { WorkloadSpec } from "../../../src/actions/workload/index.ts";
import type { Deployment } from "../../../src/kube/well-known.ts";
import { imageOf } from "../../support/shop.ts";
import type { ActionCase } from "../action-case.ts";
import { restartByKubectl, setImage } from "./foreign.ts";

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
    foreignChanges: { "another release": setImage, "a restart": restartByKubectl },
  },
];
