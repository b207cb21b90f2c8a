import { describe, expect, it } from "@jest/globals";
import { gitOpsOwner } from "./owner.ts";
import { deployment } from "./testing/objects.ts";

const TRACKING = "argocd.argoproj.io/tracking-id";

describe("GitOps owner", () => {
  it("is the Argo CD application whose tracking id names this very object", () => {
    expect(gitOpsOwner(deployment({ [TRACKING]: "web-app:apps/Deployment:shop/web" }))).toMatchObject({
      tool: "Argo CD",
      owner: "Application web-app",
    });
  });

  it.each([
    ["another name", "web-app:apps/Deployment:shop/other"],
    ["another namespace", "web-app:apps/Deployment:else/web"],
    ["another kind", "web-app:apps/StatefulSet:shop/web"],
    ["no form at all", "nonsense"],
  ])("is nobody when the tracking id names %s: the object was copied", (_, id) => {
    expect(gitOpsOwner(deployment({ [TRACKING]: id }))).toBeUndefined();
  });

  it("is nobody for the instance label alone, which Helm charts set too", () => {
    expect(gitOpsOwner(deployment({}, { "app.kubernetes.io/instance": "web" }))).toBeUndefined();
  });

  it("is the Argo CD application of the instance label where Argo CD's manager wrote the object, weakly", () => {
    const labelled = deployment({}, { "app.kubernetes.io/instance": "web" });
    const applied = { ...labelled.metadata, managedFields: [{ manager: "argocd-controller" }] };

    expect(gitOpsOwner({ ...labelled, metadata: applied })).toMatchObject({
      owner: "Application web",
      weak: true,
    });
  });

  it.each([
    ["kustomize.toolkit.fluxcd.io", "Kustomization flux-system/apps"],
    ["helm.toolkit.fluxcd.io", "HelmRelease flux-system/apps"],
  ])("is Flux by the labels of %s", (prefix, owner) => {
    const labels = { [`${prefix}/name`]: "apps", [`${prefix}/namespace`]: "flux-system" };

    expect(gitOpsOwner(deployment({}, labels))).toMatchObject({ tool: "Flux", owner });
  });

  it("is nobody where Flux was told to leave the object alone", () => {
    const prefix = "kustomize.toolkit.fluxcd.io";
    const labels = { [`${prefix}/name`]: "apps", [`${prefix}/namespace`]: "flux-system" };

    expect(gitOpsOwner(deployment({ [`${prefix}/reconcile`]: "disabled" }, labels))).toBeUndefined();
  });
});
