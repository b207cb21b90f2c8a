import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { defineResource, formatKey, groupOf, parseKey, resourceName } from "./objects.ts";

describe("object keys", () => {
  it("survive the way to a string and back", () => {
    const name = fc.stringMatching(/^[a-z0-9.:-]+$/);
    fc.assert(
      fc.property(fc.oneof(fc.constant(""), name), name, (namespace, name) => {
        expect(parseKey(formatKey({ namespace, name }))).toEqual({ namespace, name });
      }),
    );
  });

  it.each(["", "/", "a/", "/a", "a/b/c"])("are not read from %j", (text) => {
    expect(() => parseKey(text)).toThrow(TypeError);
  });
});

describe("resource names", () => {
  it("carry the group unless it is the core", () => {
    const pods = defineResource({ apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true });
    const apps = defineResource({
      apiVersion: "apps/v1",
      kind: "Deployment",
      plural: "deployments",
      namespaced: true,
    });
    expect([groupOf(pods), resourceName(pods)]).toEqual(["", "pods"]);
    expect([groupOf(apps), resourceName(apps)]).toEqual(["apps", "deployments.apps"]);
  });
});
