import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { impersonationHeaders } from "./impersonation.ts";
import { checkRawPath, collectionPath, objectPath } from "./paths.ts";
import { deploymentType, namespaceType, podType } from "./well-known.ts";

describe("paths", () => {
  it("follow the API's layout", () => {
    expect(collectionPath(podType, "")).toBe("/api/v1/pods");
    expect(collectionPath(deploymentType, "shop")).toBe("/apis/apps/v1/namespaces/shop/deployments");
    expect(objectPath(namespaceType, { namespace: "", name: "shop" })).toBe("/api/v1/namespaces/shop");
    expect(objectPath(deploymentType, { namespace: "shop", name: "web" }, "scale")).toBe(
      "/apis/apps/v1/namespaces/shop/deployments/web/scale",
    );
  });

  it("cannot be led elsewhere by a name", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (namespace, name) => {
        let path: string;
        try {
          path = objectPath(podType, { namespace, name });
        } catch (error) {
          expect(error).toMatchObject({ reason: "BadName" });
          return;
        }
        expect(new URL(path, "http://server").pathname).toBe(path);
        expect(path.split("/")).toHaveLength(7);
        expect(path.startsWith("/api/v1/namespaces/")).toBe(true);
      }),
    );
  });

  it.each([
    ["..", "web"],
    ["shop", ".."],
    ["shop", "a/b"],
    ["shop", "a%2fb"],
    ["shop", ""],
    ["", "web"],
    ["Shop", "web"],
  ])("refuse %j %j", (namespace, name) => {
    expect(() => objectPath(podType, { namespace, name })).toThrow(/cannot address pods/);
  });

  it("take no namespace for a cluster-scoped kind", () => {
    expect(() => collectionPath(namespaceType, "shop")).toThrow(/cluster-scoped/);
  });

  it.each(["healthz", "/api/../x", "/api/%2e%2e/x", "/a?b", "/a#b", "/a b", "/a\\b"])(
    "refuse the raw path %j",
    (path) => {
      expect(() => checkRawPath(path)).toThrow(/dot segments/);
    },
  );
});

describe("impersonation", () => {
  it("names the user only: the server adds the groups of a service account when none is named", () => {
    expect(impersonationHeaders({ namespace: "shop", name: "deployer" })).toEqual([
      ["impersonate-user", "system:serviceaccount:shop:deployer"],
    ]);
  });

  it.each([
    ["shop", "a:b"],
    ["shop:x", "a"],
    ["shop", "a\r\nimpersonate-user: admin"],
    ["", "a"],
    ["shop", ""],
  ])("refuses %j %j", (namespace, name) => {
    expect(() => impersonationHeaders({ namespace, name })).toThrow(/cannot impersonate/);
  });
});
