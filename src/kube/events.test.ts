import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./errors.ts";
import { createEventRecorder, type EventRecorderOptions } from "./events.ts";
import { createFakeClock, settle } from "./testing/fake-clock.ts";

const web = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", uid: "u1", resourceVersion: "9", creationTimestamp: "" },
};
const rolledBack = {
  type: "Normal",
  reason: "RolledBack",
  action: "Rollback",
  note: "to revision 3",
  regarding: web,
} as const;
const never = new AbortController().signal;

interface Write {
  readonly verb: string;
  readonly name: string;
  readonly body: Record<string, unknown>;
}

function make(more: Partial<EventRecorderOptions> = {}) {
  const clock = createFakeClock();
  const writes: Write[] = [];
  const errors: string[] = [];
  const failures: Error[] = [];
  let gate: Promise<void> | undefined;
  async function write(verb: string, name: string, body: unknown): Promise<unknown> {
    await gate;
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    writes.push({ verb, name, body: body as Record<string, unknown> });
    return body;
  }
  const client = {
    create: (_type: unknown, object: { metadata: { name: string } }) =>
      write("create", object.metadata.name, object),
    patch: (_type: unknown, key: { name: string }, patch: { value: unknown }) =>
      write("patch", key.name, patch.value),
  } as unknown as Pick<KubeClient, "create" | "patch">;
  const recorder = createEventRecorder({
    client,
    clock,
    random: () => 0.5,
    reportingController: "example.com/rollback",
    reportingInstance: "pod-1",
    onError: (error) => {
      errors.push((error as Error).message);
      throw new Error("a broken hook");
    },
    ...more,
  });
  return {
    clock,
    writes,
    errors,
    failures,
    recorder,
    hold: (promise: Promise<void>) => void (gate = promise),
  };
}

function refusal(code: number, reason: string): KubeError {
  const facts = {
    verb: "patch",
    target: "e",
    path: "",
    detail: reason,
    retryable: false,
    outcomeUnknown: false,
  };
  return new KubeError({ ...facts, code, reason });
}

describe("event recorder", () => {
  it("writes a whole event", async () => {
    const { recorder, writes } = make();
    recorder.record(rolledBack);
    await recorder.flush(never);
    expect(writes).toMatchObject([
      {
        verb: "create",
        body: {
          metadata: { namespace: "shop", name: expect.stringMatching(/^web\.[0-9a-f]+$/) },
          eventTime: "2026-01-01T00:00:00.000000Z",
          reportingController: "example.com/rollback",
          reportingInstance: "pod-1",
          type: "Normal",
          reason: "RolledBack",
          action: "Rollback",
          note: "to revision 3",
          regarding: { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web", uid: "u1" },
        },
      },
    ]);
    expect(writes[0]!.body).not.toHaveProperty("series");
  });

  it("makes repeats a series of the same event, written at a bounded pace", async () => {
    const { clock, recorder, writes } = make();
    recorder.record(rolledBack);
    await settle();
    for (let i = 0; i < 5; i += 1) {
      await clock.advance(1_000);
      recorder.record(rolledBack);
    }
    expect(writes).toHaveLength(1);
    await clock.advance(5_000);
    expect(writes.slice(1)).toEqual([
      {
        verb: "patch",
        name: writes[0]!.name,
        body: { series: { count: 6, lastObservedTime: "2026-01-01T00:00:05.000000Z" } },
      },
    ]);
    recorder.record({ ...rolledBack, note: "to revision 2" });
    await settle();
    expect(writes.map((each) => each.verb)).toEqual(["create", "patch", "create"]);
  });

  it("counts what came together before the first write", async () => {
    const { recorder, writes, hold } = make();
    const gate = Promise.withResolvers<void>();
    hold(gate.promise);
    recorder.record({ ...rolledBack, note: "first" });
    recorder.record(rolledBack);
    recorder.record(rolledBack);
    gate.resolve();
    await recorder.flush(never);
    expect(writes.map((each) => each.body["series"])).toEqual([
      undefined,
      expect.objectContaining({ count: 2 }),
    ]);
  });

  it("begins anew after a long silence, and when the server forgot the event", async () => {
    const { clock, recorder, writes, failures } = make();
    recorder.record(rolledBack);
    await clock.advance(6 * 60_000);
    recorder.record(rolledBack);
    await settle();
    expect(writes.map((each) => each.verb)).toEqual(["create", "create"]);
    await clock.advance(60_000);
    failures.push(refusal(404, "NotFound"));
    recorder.record(rolledBack);
    await settle();
    expect(writes.map((each) => each.verb)).toEqual(["create", "create", "create"]);
    expect(writes[2]!.body["series"]).toMatchObject({ count: 2 });
  });

  it("reports failures and never throws", async () => {
    const { recorder, writes, errors, failures } = make();
    failures.push(refusal(403, "Forbidden"));
    recorder.record(rolledBack);
    recorder.record({ ...rolledBack, reason: "Other" });
    await recorder.flush(never);
    expect(errors).toEqual(["cannot patch e: Forbidden (403 Forbidden)"]);
    expect(writes).toHaveLength(1);
  });

  it("bounds what waits, and forgets what is written to make room", async () => {
    const { recorder, writes, errors, hold } = make({ maxPending: 2 });
    const gate = Promise.withResolvers<void>();
    hold(gate.promise);
    for (const note of ["1", "2", "3", "4"]) recorder.record({ ...rolledBack, note });
    // The first is on its way and counts as written.
    expect(errors).toHaveLength(1);
    gate.resolve();
    await recorder.flush(never);
    for (const note of ["5", "6"]) recorder.record({ ...rolledBack, note });
    await recorder.flush(never);
    expect(writes.map((each) => each.body["note"])).toEqual(["1", "2", "3", "5", "6"]);
  });

  it("keeps to the server's lengths, in bytes", async () => {
    const { recorder, writes } = make();
    recorder.record({
      ...rolledBack,
      note: "😀".repeat(1_000),
      regarding: { name: "n".repeat(253), kind: "Node" },
    });
    await recorder.flush(never);
    const [{ body, name }] = writes as [Write];
    expect(Buffer.byteLength(body["note"] as string)).toBeLessThanOrEqual(1_024);
    expect(body["note"]).toMatch(/^(😀)+…$/u);
    expect(name.length).toBeLessThanOrEqual(253);
    expect(body["metadata"]).toMatchObject({ namespace: "default" });
  });

  it("flush ends with its signal, close with everything", async () => {
    const { clock, recorder, hold } = make();
    hold(new Promise(() => {}));
    recorder.record(rolledBack);
    const abort = new AbortController();
    const flush = recorder.flush(abort.signal);
    abort.abort(new Error("no more time"));
    await expect(flush).rejects.toThrow("no more time");
    recorder.close();
    recorder.record(rolledBack);
    expect(clock.pending).toBe(0);
  });
});
