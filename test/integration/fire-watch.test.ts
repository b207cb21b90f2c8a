import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { systemClock } from "../../src/kube/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { isGone, KubeError } from "../../src/kube/errors.ts";
import { createReflector, type ReflectorHealth } from "../../src/kube/reflector.ts";
import { createStore, type Store } from "../../src/kube/store.ts";
import { configMapType, type ConfigMap } from "../../src/kube/well-known.ts";
import {
  CONNECTION_LOST,
  statusAnswer,
  type ApiAnswer,
  type FaultProxy,
  type Torn,
} from "../support/fault-proxy.ts";
import { startKubeLab, type KubeLab } from "../support/kube-lab.ts";
import { until } from "../support/world.ts";

const call = { signal: new AbortController().signal };
const OBJECTS = 12;
const PAGE = 5;
const PAGES = Math.ceil(OBJECTS / PAGE);
/** Instead of two minutes. */
const STALL_MS = 1_000;

/** A store that follows one namespace through a proxy of its own, and what it told. */
interface Follower {
  readonly proxy: FaultProxy;
  readonly store: Store<ConfigMap>;
  readonly changes: readonly string[];
  readonly errors: readonly Error[];
  readonly lists: () => number;
  health(): ReflectorHealth;
  stop(): Promise<void>;
}

let lab: KubeLab;
let client: KubeClient;

beforeAll(async () => {
  lab = await startKubeLab();
  client = lab.client;
}, 120_000);

afterAll(() => lab?.stop(), 60_000);

async function follow(namespace: string, prepare: (proxy: FaultProxy) => void): Promise<Follower> {
  // No retries inside a request: what the reflector makes of a failure is what is looked at.
  const { proxy, client: faulty } = await lab.behindProxy({ maxAttempts: 1 });
  prepare(proxy);
  const store = createStore<ConfigMap>();
  const changes: string[] = [];
  const errors: Error[] = [];
  let lists = 0;
  store.onChange(({ type, object }) => changes.push(`${type} ${object.metadata.name}`));
  const reflector = createReflector({
    client: faulty,
    type: configMapType,
    store,
    namespaces: [namespace],
    clock: systemClock(),
    random: Math.random,
    backoff: { baseMs: 20, maxMs: 200 },
    stallMs: STALL_MS,
    pageSize: PAGE,
    onError: (error) => errors.push(error),
    onList: () => (lists += 1),
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  return {
    proxy,
    store,
    changes,
    errors,
    lists: () => lists,
    health: () => reflector.health(),
    async stop() {
      stop.abort(new Error("stop"));
      await running;
    },
  };
}

async function populated(namespace: string): Promise<string> {
  await lab.namespace(namespace);
  for (let index = 0; index < OBJECTS; index += 1) {
    await client.create(
      configMapType,
      { metadata: { namespace, name: `c${index}` }, data: { n: "0" } },
      call,
    );
  }
  return namespace;
}

/** One of each: changed twice, deleted, made anew under the same name, new. */
async function churn(namespace: string): Promise<void> {
  const change = async (name: string, n: string) => {
    const now = await client.get(configMapType, { namespace, name }, call);
    await client.replace(configMapType, { ...now, data: { n } }, call);
  };
  await change("c0", "1");
  await client.delete(configMapType, { namespace, name: "c1" }, call);
  await change("c0", "2");
  await client.delete(configMapType, { namespace, name: "c2" }, call);
  await client.create(configMapType, { metadata: { namespace, name: "c2" }, data: { n: "new" } }, call);
  await client.create(configMapType, { metadata: { namespace, name: "fresh" } }, call);
}

/** Waits until the store holds exactly what the API server does, by UID and version. */
async function isLikeTheServer(namespace: string, store: Store<ConfigMap>): Promise<void> {
  const picture = (items: readonly ConfigMap[]) =>
    items.map(({ metadata: { name, uid, resourceVersion } }) => `${name} ${uid} ${resourceVersion}`).sort();
  const { items } = await client.list(configMapType, { ...call, namespace });
  await until(
    `the store is like ${namespace}`,
    async () => picture(store.list()),
    (now) => JSON.stringify(now) === JSON.stringify(picture(items)),
    15_000,
  );
}

const DELETED_BY_CHURN = ["deleted c1", "deleted c2"];
const deletions = (changes: readonly string[]) => changes.filter((each) => each.startsWith("deleted")).sort();

type Lines = AsyncIterable<string>;

async function* twice(lines: Lines): AsyncGenerator<string> {
  for await (const line of lines) {
    yield line;
    yield line;
  }
}

/** Each event comes again after the next one: old news after new. */
async function* echoed(lines: Lines): AsyncGenerator<string> {
  let before: string | undefined;
  for await (const line of lines) {
    yield line;
    if (before !== undefined) yield before;
    before = line;
  }
}

async function* tornAfter(lines: Lines, bytes: number): AsyncGenerator<string | Torn> {
  for await (const line of lines) {
    yield { torn: line.slice(0, bytes) };
    return;
  }
}

async function* diesAfterOne(lines: Lines): AsyncGenerator<string> {
  for await (const line of lines) {
    yield line;
    throw new Error("the connection dies");
  }
}

/** Open, and nothing but empty lines would come through. */
async function* silent(lines: Lines): AsyncGenerator<string> {
  for await (const line of lines) if (line === "") yield line;
}

async function* gone(): AsyncGenerator<string> {
  const object = { kind: "Status", status: "Failure", reason: "Expired", code: 410, message: "too old" };
  yield JSON.stringify({ type: "ERROR", object });
}

async function* garbage(): AsyncGenerator<string> {
  yield "<html>502 Bad Gateway</html>";
}

/** What the first watches meet; the later ones get through. */
interface WatchStory {
  readonly distort: (lines: Lines) => AsyncIterable<string | Torn>;
  /** For so many watches; all when absent. */
  readonly times?: number;
  /** What is reported while it lasts; nothing when absent. */
  readonly says?: RegExp;
}

const WATCHES: Readonly<Record<string, WatchStory>> = {
  duplicated: { distort: twice },
  reordered: { distort: echoed },
  "cut at byte 1": { distort: (lines) => tornAfter(lines, 1), times: 2 },
  "cut at byte 200": { distort: (lines) => tornAfter(lines, 200), times: 2 },
  "dying after each event": { distort: diesAfterOne, times: 4, says: /connection lost/ },
  "black hole": { distort: silent, times: 1, says: /nothing came for 1 s/ },
  "410 Gone": { distort: gone, times: 3, says: /too old/ },
  garbage: { distort: garbage, times: 2, says: /is not a watch event/ },
};

describe("a watch that comes distorted", () => {
  it.each(Object.entries(WATCHES))(
    "%s: nothing is missed, nothing is invented",
    async (name, story) => {
      const namespace = await populated(`watch-${name.replaceAll(" ", "-").toLowerCase()}`);
      let left = story.times ?? Infinity;
      const follower = await follow(namespace, (proxy) =>
        proxy.interceptWatches(async (_call, open) => {
          const lines = await open();
          return left-- > 0 ? story.distort(lines) : lines;
        }),
      );
      await follower.store.whenSynced(call.signal);
      await churn(namespace);
      await isLikeTheServer(namespace, follower.store);
      await follower.stop();
      expect(deletions(follower.changes)).toEqual(DELETED_BY_CHURN);
      expect(follower.changes.filter((change) => change === "added c3")).toHaveLength(1);
      const said = follower.errors.map(({ message }) => message);
      if (story.says === undefined) expect(said).toEqual([]);
      else expect(said).toContainEqual(expect.stringMatching(story.says));
    },
    30_000,
  );
});

/** What lists meet, by their ordinal; undefined: nothing. */
const LISTS: Readonly<
  Record<string, (ordinal: number, isSecondPage: boolean) => "cut" | "lost" | "late" | ApiAnswer | undefined>
> = {
  "500 three times": (ordinal) => (ordinal < 3 ? statusAnswer(500, "InternalError") : undefined),
  "410 on the second page": (ordinal, second) =>
    second && ordinal < 4 ? statusAnswer(410, "Expired") : undefined,
  "a page cut at byte 300": (ordinal) => (ordinal < 2 ? "cut" : undefined),
  "a second page cut": (ordinal, second) => (second && ordinal < 4 ? "cut" : undefined),
  "connections lost": (ordinal) => (ordinal < 3 ? "lost" : undefined),
  slow: () => "late",
};

describe("lists that fail", () => {
  it.each(Object.entries(LISTS))(
    "%s: the store waits for a whole list, and is told what is wrong",
    async (name, fault) => {
      const namespace = await populated(`list-${name.replaceAll(" ", "-")}`);
      let ordinal = 0;
      const follower = await follow(namespace, (proxy) =>
        proxy.intercept(async ({ query }, forward) => {
          const outcome = fault(ordinal, query.has("continue"));
          ordinal += 1;
          if (outcome === "lost") return CONNECTION_LOST;
          if (outcome === "late") await systemClock().sleep(300, call.signal);
          if (outcome === "cut") return { ...(await forward()), cutAt: 300 };
          return typeof outcome === "object" ? outcome : forward();
        }),
      );
      const errors: string[] = [];
      while (!follower.store.hasSynced()) {
        const { lastError } = follower.health();
        if (lastError !== undefined) errors.push(lastError.message);
        // Half a list is no list.
        expect(follower.store.size).toBe(0);
        await systemClock().sleep(10, call.signal);
      }
      expect(follower.store.size).toBe(OBJECTS);
      await churn(namespace);
      await isLikeTheServer(namespace, follower.store);
      await follower.stop();
      expect(deletions(follower.changes)).toEqual(DELETED_BY_CHURN);
      expect(errors.length > 0).toBe(name !== "slow");
    },
    30_000,
  );

  it("after a 410 lists anew without emptying the store, even when that list fails at first", async () => {
    const namespace = await populated("relist");
    let watches = 0;
    const follower = await follow(namespace, (proxy) =>
      proxy.interceptWatches(async (_call, open) => ((watches += 1) === 1 ? gone() : open())),
    );
    let failing = 3;
    await follower.store.whenSynced(call.signal);
    follower.proxy.intercept(async (_call, forward) =>
      failing-- > 0 ? statusAnswer(503, "ServiceUnavailable") : forward(),
    );
    await churn(namespace);
    await isLikeTheServer(namespace, follower.store);
    await follower.stop();
    expect(follower.errors.some(isGone)).toBe(true);
    expect(deletions(follower.changes)).toEqual(DELETED_BY_CHURN);
    expect(follower.errors.filter((error) => error instanceof KubeError && error.code === 503)).toHaveLength(
      3,
    );
  }, 30_000);
});

describe("429 with Retry-After", () => {
  it("is waited out by lists and by watches", async () => {
    const namespace = await populated("retry-after");
    const asked: number[] = [];
    const refuse = () => statusAnswer(429, "TooManyRequests", ["retry-after", "1"]);
    const follower = await follow(namespace, (proxy) => {
      proxy.intercept(async (_call, forward) => {
        asked.push(performance.now());
        return asked.length === 1 ? refuse() : forward();
      });
      proxy.interceptWatches(async (_call, open) => {
        asked.push(performance.now());
        return asked.filter((_, index) => index > PAGES).length === 1 ? refuse() : open();
      });
    });
    await follower.store.whenSynced(call.signal);
    await churn(namespace);
    await isLikeTheServer(namespace, follower.store);
    await follower.stop();
    const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? at));
    // After the refused list, and after the refused watch.
    expect([gaps[0], gaps[PAGES + 1]].map((gap) => (gap ?? 0) >= 1_000)).toEqual([true, true]);
    expect(follower.errors).toHaveLength(2);
  }, 30_000);
});

describe("a metadata-only view", () => {
  it("follows changes like a full one, and no content ever comes", async () => {
    const namespace = await populated("metadata-only");
    const store = createStore<ConfigMap>();
    const stop = new AbortController();
    const reflector = createReflector({
      client,
      type: configMapType,
      store,
      namespaces: [namespace],
      metadataOnly: true,
      pageSize: PAGE,
      clock: systemClock(),
      random: Math.random,
    });
    const running = reflector.run(stop.signal);
    await store.whenSynced(call.signal);
    await churn(namespace);
    await isLikeTheServer(namespace, store);
    stop.abort(new Error("stop"));
    await running;
    expect(store.list().filter((object) => "data" in object)).toEqual([]);
  }, 30_000);
});
