import type { ScaleSpec } from "../../../src/actions/scale/index.ts";
import {
  scalablePlural,
  scalableType,
  type ScalableKind,
  type ScalableWorkload,
} from "../../../src/kube/scale-types.ts";
import { until } from "../../support/world.ts";
import type { ActionCase, Stage } from "../action-case.ts";

const signal = new AbortController().signal;

function scaleCase(kind: ScalableKind, from: number, to: number): ActionCase<ScaleSpec> {
  const live = ({ world, shop }: Stage, name: string) =>
    world.client.get(scalableType(kind), { namespace: shop.namespace, name }, { signal });
  return {
    title: `${kind} from ${from} to ${to} replicas`,
    async open(stage, name) {
      const { shop } = stage;
      if (kind === "Deployment") await shop.open(name, { spec: { replicas: from } });
      else await openStatefulSet(stage, name, from);
      return { kind, name, replicas: to };
    },
    live,
    part: (object) => (object as ScalableWorkload).spec["replicas"],
    hasArrived: (object) => (object as ScalableWorkload).spec["replicas"] === to,
    foreignChanges: {
      "another number": ({ world, shop }, name) =>
        world.kubectl(["scale", `${scalablePlural(kind)}/${name}`, "--replicas=4", "-n", shop.namespace]),
    },
  };

  async function openStatefulSet(stage: Stage, name: string, replicas: number): Promise<void> {
    const labels = { app: name };
    const template = { metadata: { labels }, spec: { containers: [{ name: "app", image: "web:v1" }] } };
    await stage.world.client.create(
      scalableType(kind),
      {
        metadata: { namespace: stage.shop.namespace, name },
        spec: { replicas, serviceName: name, selector: { matchLabels: labels }, template },
      },
      { signal },
    );
    await until(
      `StatefulSet ${name} is ready`,
      () => live(stage, name),
      ({ status }) => status?.readyReplicas === replicas,
    );
  }
}

export const scaleCases: readonly ActionCase<ScaleSpec>[] = [
  scaleCase("Deployment", 2, 0),
  scaleCase("Deployment", 0, 2),
  scaleCase("Deployment", 1, 3),
  scaleCase("StatefulSet", 2, 0),
];
