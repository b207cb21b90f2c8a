import { describe, expect, it } from "@jest/globals";
import { addFinalizer, isBeingDeleted, removeFinalizer } from "./finalizers.ts";

const metadata = { name: "a", uid: "u", resourceVersion: "5", creationTimestamp: "" };
const plain = { apiVersion: "v1", kind: "Thing", metadata };
const held = { ...plain, metadata: { ...metadata, finalizers: ["other/x", "ours/y"] } };

describe("finalizers", () => {
  it("are added and removed against the version that was read", () => {
    expect(addFinalizer(plain, "ours/y")).toEqual({
      kind: "merge",
      value: { metadata: { uid: "u", resourceVersion: "5", finalizers: ["ours/y"] } },
    });
    expect(removeFinalizer(held, "ours/y")).toEqual({
      kind: "merge",
      value: { metadata: { uid: "u", resourceVersion: "5", finalizers: ["other/x"] } },
    });
  });

  it("need no patch when there is nothing to do", () => {
    expect(addFinalizer(held, "ours/y")).toBeUndefined();
    expect(removeFinalizer(plain, "ours/y")).toBeUndefined();
  });

  it("hold an object that is being deleted", () => {
    expect(isBeingDeleted(plain)).toBe(false);
    expect(
      isBeingDeleted({ ...plain, metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } }),
    ).toBe(true);
  });
});
