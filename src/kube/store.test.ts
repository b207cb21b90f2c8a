import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { KubeObject } from "./objects.ts";
import { createStore, type StoreChange } from "./store.ts";

interface Thing extends KubeObject {
  readonly value?: string;
}

function thing(
  name: string,
  version: number,
  more: { uid?: string; namespace?: string; value?: string } = {},
): Thing {
  const { uid = `${name}-1`, namespace = "n", value = "x" } = more;
  const metadata = { name, namespace, uid, resourceVersion: String(version), creationTimestamp: "" };
  return { apiVersion: "v1", kind: "Thing", metadata, value };
}

function watched() {
  const store = createStore<Thing>({ indexers: { value: (each) => [each.value ?? ""] } });
  const changes: string[] = [];
  store.onChange((change) => changes.push(describeChange(change)));
  return { store, changes };
}

function describeChange(change: StoreChange<Thing>): string {
  const { name, uid, resourceVersion } = change.object.metadata;
  return `${change.type}${change.type === "added" && change.initial ? " initially" : ""} ${name} ${uid}@${resourceVersion}`;
}

describe("store", () => {
  it("tells the first list from news", () => {
    const { store, changes } = watched();
    store.replace("", [thing("a", 1)]);
    store.markSynced();
    store.upsert(thing("b", 2));
    expect(changes).toEqual(["added initially a a-1@1", "added b b-1@2"]);
  });

  it("ignores duplicates and what is older", () => {
    const { store, changes } = watched();
    store.upsert(thing("a", 5));
    store.upsert(thing("a", 5));
    store.upsert(thing("a", 4));
    store.upsert(thing("a", 10));
    expect(changes).toEqual(["added initially a a-1@5", "updated a a-1@10"]);
  });

  it("takes a successor of the same name for a deletion and an addition", () => {
    const { store, changes } = watched();
    store.upsert(thing("a", 5));
    store.upsert(thing("a", 7, { uid: "a-2", value: "y" }));
    store.remove(thing("a", 6));
    store.upsert(thing("a", 6));
    expect(changes.slice(1)).toEqual(["deleted a a-1@5", "added initially a a-2@7"]);
    expect([store.byIndex("value", "x"), store.byIndex("value", "y")].map((each) => each.length)).toEqual([
      0, 1,
    ]);
  });

  it("compares a new list with what it has, within its namespace", () => {
    const { store, changes } = watched();
    store.replace("n", [thing("a", 1), thing("b", 1)]);
    store.replace("m", [thing("a", 1, { namespace: "m" })]);
    store.markSynced();
    changes.length = 0;
    store.replace("n", [thing("b", 1), thing("c", 9)]);
    expect(changes).toEqual(["added c c-1@9", "deleted a a-1@1"]);
    expect(
      store
        .list()
        .map((each) => `${each.metadata.namespace}/${each.metadata.name}`)
        .sort(),
    ).toEqual(["m/a", "n/b", "n/c"]);
  });

  it("believes a list that goes back in time", () => {
    const { store } = watched();
    store.upsert(thing("a", 500));
    store.replace("", [thing("a", 3, { value: "old" })]);
    expect(store.get("n/a")?.value).toBe("old");
  });

  it("strips bookkeeping at entry and freezes through and through", () => {
    const { store } = watched();
    const fat = thing("a", 1);
    const metadata = {
      ...fat.metadata,
      managedFields: [{}],
      annotations: { keep: "1", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    };
    store.upsert({ ...fat, metadata });
    const held = store.get("n/a")!;
    expect(held.metadata).toEqual({ ...fat.metadata, annotations: { keep: "1" } });
    expect(Object.isFrozen(held) && Object.isFrozen(held.metadata.annotations)).toBe(true);
  });

  it("outlives a listener that throws", () => {
    const errors: unknown[] = [];
    const store = createStore<Thing>({ onListenerError: (error) => errors.push(error) });
    const seen: string[] = [];
    store.onChange(() => {
      throw new Error("broken");
    });
    const stop = store.onChange((change) => seen.push(change.type));
    store.upsert(thing("a", 1));
    stop();
    store.upsert(thing("a", 2));
    expect([errors.length, seen]).toEqual([2, ["added"]]);
  });

  it("knows its indexes only", () => {
    expect(() => watched().store.byIndex("colour", "red")).toThrow(/no index "colour"/);
  });

  it("resolves whenSynced", async () => {
    const { store } = watched();
    const abort = new AbortController();
    const aborted = store.whenSynced(abort.signal);
    abort.abort(new Error("stop"));
    await expect(aborted).rejects.toThrow("stop");
    const synced = store.whenSynced(new AbortController().signal);
    store.markSynced();
    await synced;
    expect(store.hasSynced()).toBe(true);
  });

  it("keeps indexes and announced changes equal to its content (any sequence)", () => {
    const object = fc
      .record({
        name: fc.constantFrom("a", "b", "c"),
        version: fc.integer({ min: 1, max: 30 }),
        uid: fc.constantFrom("1", "2"),
        value: fc.constantFrom("x", "y"),
      })
      .map(({ name, version, uid, value }) => thing(name, version, { uid: `${name}-${uid}`, value }));
    const command = fc.oneof(
      fc.record({ do: fc.constantFrom("upsert" as const, "remove" as const), object }),
      fc.record({
        do: fc.constant("replace" as const),
        objects: fc.uniqueArray(object, { selector: (o) => o.metadata.name }),
      }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const { store } = watched();
        const mirror = new Map<string, Thing>();
        store.onChange((change) => {
          const { name, uid } = change.object.metadata;
          expect(mirror.has(name)).toBe(change.type !== "added");
          if (change.type !== "added") expect(mirror.get(name)!.metadata.uid).toBe(uid);
          if (change.type === "deleted") mirror.delete(name);
          else mirror.set(name, change.object);
        });
        for (const each of commands) {
          if (each.do === "replace") store.replace("", each.objects);
          else store[each.do](each.object);
          const names = (objects: readonly Thing[]) => objects.map((o) => o.metadata.name).sort();
          expect(names(store.list())).toEqual([...mirror.keys()].sort());
          for (const value of ["x", "y"]) {
            expect(names(store.byIndex("value", value))).toEqual(
              names(store.list().filter((o) => o.value === value)),
            );
          }
        }
      }),
    );
  });
});
