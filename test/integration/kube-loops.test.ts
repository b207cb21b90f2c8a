import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { KubeClient, ListPage } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { isGone } from "../../src/kube/errors.ts";
import { createEventRecorder } from "../../src/kube/events.ts";
import { leaseStore, runElection } from "../../src/kube/leader-election.ts";
import { createReflector } from "../../src/kube/reflector.ts";
import { createStore } from "../../src/kube/store.ts";
import { until } from "../../src/kube/testing/fake-clock.ts";
import { configMapType, eventType, leaseType, type ConfigMap } from "../../src/kube/well-known.ts";
import { failureOf, startKubeLab, type KubeLab } from "../support/kube-lab.ts";

let lab: KubeLab;
let client: KubeClient;
const clock = systemClock();
const call = { signal: new AbortController().signal };

beforeAll(async () => {
  lab = await startKubeLab();
  client = lab.client;
}, 120_000);

afterAll(() => lab?.stop(), 60_000);

describe("reflector against a real API server", () => {
  it("follows creates, changes, deletes and a successor", async () => {
    const namespace = await lab.namespace("reflected");
    const store = createStore<ConfigMap>({
      indexers: { colour: (each) => [each.data?.["colour"] ?? "none"] },
    });
    const changes: string[] = [];
    store.onChange(({ type, object }) => changes.push(`${type} ${object.metadata.name}`));
    const errors: unknown[] = [];
    let lists = 0;
    const reflector = createReflector({
      client,
      type: configMapType,
      store,
      namespaces: [namespace],
      clock,
      random: Math.random,
      onError: (error) => errors.push(error),
      onList: () => (lists += 1),
    });
    const stop = new AbortController();
    const running = reflector.run(stop.signal);
    await store.whenSynced(call.signal);
    const key = { namespace, name: "a" };
    await client.create(configMapType, { metadata: key, data: { colour: "red" } }, call);
    await until(() => store.byIndex("colour", "red").length === 1);
    const red = await client.get(configMapType, key, call);
    await client.replace(configMapType, { ...red, data: { colour: "blue" } }, call);
    await until(() => store.byIndex("colour", "blue").length === 1);
    expect(store.get("reflected/a")!.metadata).not.toHaveProperty("managedFields");
    await client.delete(configMapType, key, call);
    await client.create(configMapType, { metadata: key, data: {} }, call);
    await until(() => changes.length === 4);
    expect(changes).toEqual(["added a", "updated a", "deleted a", "added a"]);
    expect([lists, errors, reflector.health().lastError]).toEqual([1, [], undefined]);
    stop.abort(new Error("stop"));
    await running;
  });
});

describe("a server that forgot", () => {
  it("says 410, and the reflector lists again", async () => {
    // Without a watch cache and with a hasty compactor: versions are forgotten after a second or two.
    const apiServerArgs = ["--watch-cache=false", "--etcd-compaction-interval=1s"];
    const forgetful = await startKubeLab({ apiServerArgs });
    const own = forgetful.client;
    const stop = new AbortController();
    try {
      const old = await own.list(configMapType, call);
      const firstChange = async () => {
        const { resourceVersion } = old;
        const watch = own.watch(configMapType, {
          ...call,
          resourceVersion,
          timeoutSeconds: 1,
          stallMs: 5_000,
        });
        for await (const _ of watch) return undefined;
        return undefined;
      };
      let refusal: unknown;
      for (let i = 0; i < 30 && !isGone(refusal); i += 1) {
        await own.create(configMapType, { metadata: { namespace: "default", name: `c${i}` } }, call);
        refusal = await failureOf(firstChange());
        await clock.sleep(300, call.signal);
      }
      expect(isGone(refusal)).toBe(true);

      const store = createStore<ConfigMap>();
      const errors: unknown[] = [];
      let lists = 0;
      const reflector = createReflector({
        client: {
          watch: own.watch,
          // The first list is an old one.
          pages: (type, options) => (lists++ === 0 ? stalePage(old) : own.pages(type, options)),
        },
        type: configMapType,
        store,
        clock,
        random: () => 0.9,
        onError: (error) => errors.push(error),
      });
      const running = reflector.run(stop.signal);
      await until(() => store.get("default/c0") !== undefined);
      stop.abort(new Error("stop"));
      await running;
      expect(errors.map(isGone)).toEqual([true]);
    } finally {
      stop.abort(new Error("stop"));
      await forgetful.stop();
    }
  }, 120_000);
});

async function* stalePage<T>(old: { readonly resourceVersion: string }): AsyncGenerator<ListPage<T>> {
  yield { items: [], resourceVersion: old.resourceVersion };
}

describe("leader election against a real API server", () => {
  it("lets one lead, and hands over on release", async () => {
    const namespace = await lab.namespace("elections");
    const key = { namespace, name: "operator" };
    const log: string[] = [];
    const join = (identity: string) => {
      const stop = new AbortController();
      const end = runElection({
        lease: leaseStore(client, key),
        identity,
        clock,
        random: Math.random,
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 200,
        signal: stop.signal,
        onStartedLeading: () => void log.push(identity),
      });
      return { stop, end };
    };
    const a = join("a");
    await until(() => log.length === 1);
    const b = join("b");
    await clock.sleep(3_500, call.signal);
    const lease = await client.get(leaseType, key, call);
    expect(lease.spec).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 3 });
    expect(lease.spec!.renewTime).toMatch(/\.\d{6}Z$/);
    expect(log).toEqual(["a"]);
    a.stop.abort(new Error("stop"));
    expect(await a.end).toBe("released");
    await until(() => log.length === 2);
    expect((await client.get(leaseType, key, call)).spec).toMatchObject({
      holderIdentity: "b",
      leaseTransitions: 1,
    });
    await client.delete(leaseType, key, call);
    expect(await b.end).toBe("lost");
  });
});

describe("events against a real API server", () => {
  it("are accepted, and repeats become a series", async () => {
    const namespace = await lab.namespace("events");
    const regarding = await client.create(configMapType, { metadata: { namespace, name: "a" } }, call);
    const errors: unknown[] = [];
    const recorder = createEventRecorder({
      client,
      clock,
      random: Math.random,
      reportingController: "example.com/rollback",
      reportingInstance: "pod-1",
      onError: (error) => errors.push(error),
    });
    const event = {
      type: "Warning",
      reason: "Refused",
      action: "Rollback",
      note: "n".repeat(3_000),
      regarding,
    } as const;
    for (let i = 0; i < 3; i += 1) {
      recorder.record(event);
      await recorder.flush(call.signal);
    }
    recorder.record({
      ...event,
      type: "Normal",
      note: "cluster-scoped",
      regarding: { kind: "Node", name: "n1" },
    });
    await recorder.flush(call.signal);
    recorder.close();
    expect(errors).toEqual([]);
    const { items } = await client.list(eventType, { ...call, namespace });
    expect(items).toMatchObject([{ reason: "Refused", regarding: { name: "a" }, series: { count: 3 } }]);
    const ofNode = await client.list(eventType, { ...call, namespace: "default" });
    expect(ofNode.items.filter((each) => each.regarding?.kind === "Node")).toMatchObject([
      { regarding: { name: "n1" } },
    ]);
  });
});
