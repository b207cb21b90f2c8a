import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { OWNER_ANNOTATIONS } from "../crds/annotations.ts";
import type { JsonPatchOperation, Patch } from "../kube/patch.ts";
import { heldBy } from "./held-by.ts";
import { isStopped } from "./hold-field.ts";
import type { GitOpsObject } from "./kinds.ts";
import { startPatch, stopPatch } from "./stop.ts";
import { application, kustomization } from "./testing/objects.ts";

/** What an API server makes of the patch; throws where a `test` fails. */
function patched<T extends GitOpsObject>(object: T, patch: Patch | undefined): T {
  if (patch?.kind !== "json") return object;
  return patch.operations.reduce((before, operation) => applied(before, operation), structuredClone(object));
}

function applied<T extends object>(object: T, operation: JsonPatchOperation): T {
  if ("from" in operation) throw new TypeError("not used");
  const segments = operation.path
    .slice(1)
    .split("/")
    .map((each) => each.replaceAll("~1", "/"));
  const last = segments.at(-1) ?? "";
  const parent = segments
    .slice(0, -1)
    .reduce<Record<string, unknown>>((each, name) => each[name] as Record<string, unknown>, object as never);
  if (operation.op === "test") {
    if (JSON.stringify(parent[last]) !== JSON.stringify(operation.value))
      throw new Error(`test ${operation.path}`);
  } else if (operation.op === "remove") delete parent[last];
  else parent[last] = operation.value;
  return object;
}

/** Argo CD takes it away when it has looked. */
function looked<T extends GitOpsObject>(object: T): T {
  const { "argocd.argoproj.io/refresh": _, ...annotations } = object.metadata.annotations ?? {};
  return { ...object, metadata: { ...object.metadata, annotations } };
}

const automated = fc.record(
  { enabled: fc.constant(true), selfHeal: fc.boolean(), prune: fc.boolean() },
  { requiredKeys: [] },
);
const owners: fc.Arbitrary<GitOpsObject> = fc.oneof(
  automated.map((each) => application({ syncPolicy: { automated: each } })),
  fc.record({ suspend: fc.constant(false) }, { requiredKeys: [] }).map((spec) => kustomization(spec)),
);

describe("stopping and starting", () => {
  it("leaves the object to the letter as it was, however many hold it and in whatever order they go", () => {
    fc.assert(
      fc.property(
        owners,
        fc.uniqueArray(fc.constantFrom("shop/a", "shop/b", "other/a"), { minLength: 1 }),
        fc.infiniteStream(fc.nat()),
        (owner, requests, order) => {
          let object = owner;
          for (const request of requests) object = looked(patched(object, stopPatch(object, { request })));
          const left = [...requests];
          while (left.length > 0) {
            expect(isStopped(object, object.kind as never)).toBe(true);
            expect(heldBy(object)?.by.toSorted()).toEqual(left.toSorted());
            const [gone = ""] = left.splice((order.next().value ?? 0) % left.length, 1);
            object = patched(object, startPatch(object, gone, "True"));
          }
          expect(object).toEqual(owner);
        },
      ),
    );
  });

  it("holding twice is holding once", () => {
    const once = patched(
      application({ syncPolicy: { automated: {} } }),
      stopPatch(application({ syncPolicy: { automated: {} } }), { request: "shop/a" }),
    );

    expect(patched(once, stopPatch(once, { request: "shop/a" }))).toEqual(once);
  });

  it("does not touch what somebody started again", () => {
    const held = looked(patched(kustomization({}), stopPatch(kustomization({}), { request: "shop/a" })));
    const started = { ...held, spec: { suspend: false } };

    const after = patched(started, startPatch(started, "shop/a", "Absent"));

    expect(after.spec).toEqual({ suspend: false });
    expect(after.metadata.annotations?.[OWNER_ANNOTATIONS.held]).toBeUndefined();
  });

  it("has nothing to start where nobody holds, or only others do", () => {
    const others = patched(kustomization({}), stopPatch(kustomization({}), { request: "shop/b" }));

    expect(startPatch(application({}), "shop/a", "Absent")).toBeUndefined();
    expect(startPatch(others, "shop/a", "Absent")).toBeUndefined();
  });

  it("puts back what its request remembers where the record was stripped from the object", () => {
    const stripped = kustomization({ suspend: true });

    expect(patched(stripped, startPatch(stripped, "shop/a", "Absent")).spec).toEqual({});
    expect(patched(stripped, startPatch(stripped, "shop/a", "False")).spec).toEqual({ suspend: false });
  });

  it("is refused by the API server when the object moved since it was read", () => {
    const read = application({ syncPolicy: { automated: {} } });
    const moved = { ...read, metadata: { ...read.metadata, resourceVersion: "8" } };

    expect(() => patched(moved, stopPatch(read, { request: "shop/a" }))).toThrow("/metadata/resourceVersion");
  });

  it.each(["", "nonsense", "{}", '{"found":"Maybe","by":["a/b"]}', '{"found":"True","by":[]}'])(
    "takes %j for nobody's hold",
    (text) => {
      const annotations = { [OWNER_ANNOTATIONS.held]: text };
      expect(heldBy({ metadata: { ...application({}).metadata, annotations } })).toBeUndefined();
    },
  );
});
