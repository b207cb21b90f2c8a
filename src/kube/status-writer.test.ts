import { describe, expect, it } from "@jest/globals";
import { KubeError } from "./errors.ts";
import { defineResource, type KubeObject } from "./objects.ts";
import { writeStatus } from "./status-writer.ts";

interface Thing extends KubeObject {
  readonly spec: { readonly a: number };
  readonly status?: { readonly phase?: string | undefined; readonly list?: readonly number[] };
}

const type = defineResource<Thing>({ apiVersion: "x/v1", kind: "Thing", plural: "things", namespaced: true });
const metadata = { name: "a", namespace: "n", uid: "u", resourceVersion: "5", creationTimestamp: "" };
const thing: Thing = {
  apiVersion: "x/v1",
  kind: "Thing",
  metadata,
  spec: { a: 1 },
  status: { phase: "Old", list: [1] },
};
const call = { signal: new AbortController().signal };

function fakeClient(failure?: Error) {
  const writes: KubeObject[] = [];
  const replaceStatus = async <T extends KubeObject>(_type: unknown, object: T): Promise<T> => {
    if (failure !== undefined) throw failure;
    writes.push(object);
    return { ...object, metadata: { ...object.metadata, resourceVersion: "6" } };
  };
  return { writes, replaceStatus };
}

describe("writeStatus", () => {
  it("writes the whole object at its version when the status differs", async () => {
    const client = fakeClient();
    const written = await writeStatus(client, type, thing, { phase: "New" }, call);
    expect(client.writes).toEqual([{ ...thing, status: { phase: "New" } }]);
    expect(written.metadata.resourceVersion).toBe("6");
  });

  it("writes nothing when the wire form is the same, whatever the order of fields", async () => {
    const client = fakeClient();
    expect(await writeStatus(client, type, thing, { list: [1], phase: "Old" }, call)).toBe(thing);
    const { status: _, ...bare } = thing;
    expect(await writeStatus(client, type, bare, { phase: undefined }, call)).toBe(bare);
    expect(client.writes).toEqual([]);
  });

  it("lets a conflict through: it is the fence", async () => {
    const facts = {
      verb: "replace",
      target: "t",
      path: "",
      detail: "",
      retryable: false,
      outcomeUnknown: false,
    };
    const conflict = new KubeError({ ...facts, code: 409, reason: "Conflict" });
    await expect(writeStatus(fakeClient(conflict), type, thing, {}, call)).rejects.toBe(conflict);
  });
});
