import { describe, expect, it } from "@jest/globals";
import { inventoryHas, isReconciling, isTakenAwayByFlux } from "./flux.ts";
import type { FluxObject } from "./kinds.ts";
import { application, deployment, kustomization } from "./testing/objects.ts";

const helmRelease = (spec: FluxObject["spec"]): FluxObject => ({
  ...kustomization(spec),
  kind: "HelmRelease",
});

describe("what Flux counts among its own", () => {
  it("is in the inventory, by namespace, name, group and kind", () => {
    const having = (id: string): FluxObject => ({
      ...kustomization({}),
      status: { inventory: { entries: [{ id }] } },
    });

    expect(inventoryHas(having("shop_web_apps_Deployment"), deployment())).toBe(true);
    expect(inventoryHas(having("shop_web_apps_StatefulSet"), deployment())).toBe(false);
    expect(inventoryHas(having("other_web_apps_Deployment"), deployment())).toBe(false);
    expect(inventoryHas(kustomization({}), deployment())).toBe(false);
  });

  it.each([
    [{}, "web", true],
    [{}, "other", false],
    [{ targetNamespace: "shop" }, "shop-web", true],
    [{ releaseName: "mine" }, "mine", true],
    [{ releaseName: "mine" }, "web", false],
  ])("of a HelmRelease %j without inventory, what Helm installed as %s: %s", (spec, release, owned) => {
    const object = deployment({ "meta.helm.sh/release-name": release });

    expect(inventoryHas(helmRelease(spec), object)).toBe(owned);
  });
});

it("is reconciling while its condition says so", () => {
  const status = { conditions: [{ type: "Reconciling", status: "True" }] } as FluxObject["status"];

  expect(isReconciling({ ...kustomization({}), ...(status && { status }) })).toBe(true);
  expect(isReconciling(kustomization({}))).toBe(false);
});

describe("a field that Flux itself sets", () => {
  it.each([
    ["f:suspend of a Kustomization", kustomization({}), { "f:spec": { "f:suspend": {} } }, true],
    ["another of its fields", kustomization({}), { "f:spec": { "f:interval": {} } }, false],
    [
      "automated.enabled of an Application",
      application({}),
      { "f:spec": { "f:syncPolicy": { "f:automated": { "f:enabled": {} } } } },
      true,
    ],
    [
      "spec.suspend of an Application, which means nothing",
      application({}),
      { "f:spec": { "f:suspend": {} } },
      false,
    ],
  ])("%s", (_, object, fieldsV1, taken) => {
    const managedFields = [{ manager: "kustomize-controller", fieldsV1 }];
    const metadata = { ...object.metadata, managedFields };

    expect(isTakenAwayByFlux({ ...object, metadata }, "Kustomization")).toBe(taken);
    expect(isTakenAwayByFlux({ ...object, metadata }, "HelmRelease")).toBe(false);
  });
});
