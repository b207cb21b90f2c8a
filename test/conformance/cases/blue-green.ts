import type { BlueGreenSpec } from "../../../src/actions/blue-green/index.ts";
import type { Service } from "../../../src/kube/well-known.ts";
import { editService, openBlueGreen, serviceOf, setColor, toBlue } from "../../support/blue-green.ts";
import type { ActionCase } from "../action-case.ts";

const selectorOf = (object: unknown) => (object as Service).spec.selector;

function blueGreenCase(title: string, idle: number): ActionCase<BlueGreenSpec> {
  return {
    title: `Service ${title}`,
    prepares: idle < 2,
    async open({ world, shop }, name) {
      await openBlueGreen(shop, world.client, name, { idle });
      return toBlue(name);
    },
    live: ({ world, shop }, name) => serviceOf(world.client, shop.namespace, name),
    part: selectorOf,
    hasArrived: (object) => selectorOf(object)?.["version"] === "blue",
    foreignChanges: {
      "another colour": ({ world, shop }, name) => setColor(world.client, shop.namespace, name, "red"),
      "another key in the selector": ({ world, shop }, name) =>
        editService(world.client, shop.namespace, name, {
          op: "add",
          path: "/spec/selector/zone",
          value: "a",
        }),
    },
  };
}

export const blueGreenCases: readonly ActionCase<BlueGreenSpec>[] = [
  blueGreenCase("whose other colour is ready", 2),
  blueGreenCase("whose other colour has no pods", 0),
];
