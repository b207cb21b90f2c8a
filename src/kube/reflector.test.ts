import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { staticCredentials } from "./credentials.ts";
import { createKubeClient } from "./http-client.ts";
import { createReflector, type Reflector, type ReflectorOptions } from "./reflector.ts";
import { createStore, type WritableStore } from "./store.ts";
import { createFakeClock, until, type FakeClock } from "./testing/fake-clock.ts";
import {
  json,
  openStream,
  startScriptedServer,
  status,
  type OpenStream,
  type ScriptedServer,
} from "./testing/scripted-server.ts";
import { createTransport, type Transport } from "./transport.ts";
import { configMapType, type ConfigMap } from "./well-known.ts";

let server: ScriptedServer;
let clock: FakeClock;
let transport: Transport;
let store: WritableStore<ConfigMap>;
let reflector: Reflector;
let changes: string[];
let errors: string[];
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  server = await startScriptedServer();
  clock = createFakeClock();
  const credentials = staticCredentials({ server: server.url });
  transport = createTransport({ credentials, clock, random: () => 0, userAgent: "test", maxAttempts: 1 });
  store = createStore<ConfigMap>();
  changes = [];
  errors = [];
  stop = new AbortController();
  store.onChange(({ type, object }) => {
    changes.push(`${type} ${object.metadata.name} ${object.metadata.uid}@${object.metadata.resourceVersion}`);
  });
});

afterEach(async () => {
  stop.abort(new Error("stop"));
  await running;
  await transport.close();
  await server.close();
});

function run(more: Partial<ReflectorOptions<ConfigMap>> = {}): void {
  reflector = createReflector({
    client: createKubeClient({ transport, clock }),
    type: configMapType,
    store,
    clock,
    random: () => 0,
    stallMs: 120_000,
    onError: (error) => errors.push(error.message),
    ...more,
  });
  running = reflector.run(stop.signal);
}

const object = (name: string, version: number, uid = "1", namespace = "n") => ({
  metadata: { name, namespace, uid, resourceVersion: String(version), creationTimestamp: "" },
});
const event = (type: string, name: string, version: number, uid?: string) => ({
  type,
  object: object(name, version, uid),
});
const bookmark = (version: number) => ({
  type: "BOOKMARK",
  object: { kind: "ConfigMap", metadata: { resourceVersion: String(version) } },
});
const gone = {
  type: "ERROR",
  object: { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" },
};
const list = (version: number, items: unknown[], next?: string) =>
  json(200, { kind: "ConfigMapList", metadata: { resourceVersion: String(version), continue: next }, items });

/** Scripts a list and a watch, starts, and waits until the watch is open. */
async function begin(
  version: number,
  items: unknown[],
  more: Partial<ReflectorOptions<ConfigMap>> = {},
): Promise<OpenStream> {
  const stream = openStream();
  server.script(list(version, items), stream.answer);
  run(more);
  await stream.opened;
  return stream;
}

/** Moves on over the backoff until the next scripted stream was opened; returns that request. */
async function reopened(stream: OpenStream) {
  let seen: Awaited<OpenStream["opened"]> | undefined;
  void stream.opened.then((request) => (seen = request));
  await until(() => {
    // The first answer may take a real moment: only waits of a backoff are jumped over, no deadlines.
    if (clock.nextInMs !== undefined && clock.nextInMs < 10_000) void clock.advance(clock.nextInMs);
    return seen !== undefined;
  });
  return seen!;
}

const watches = () => server.requests.filter((each) => each.query.has("watch"));

describe("reflector", () => {
  it("lists in pages, then watches from the list's version with bookmarks and an end time", async () => {
    const stream = openStream();
    server.script(list(10, [object("a", 1)], "page2"), list(10, [object("b", 2)]), stream.answer);
    run({ labelSelector: "app=web" });
    const request = await stream.opened;
    expect(
      server.requests.slice(0, 2).map((each) => [each.query.get("limit"), each.query.get("continue")]),
    ).toEqual([
      ["500", null],
      ["500", "page2"],
    ]);
    expect(Object.fromEntries(request.query)).toEqual({
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: "10",
      timeoutSeconds: "300",
      labelSelector: "app=web",
    });
    expect(changes).toEqual(["added a 1@1", "added b 1@2"]);
    expect(reflector.health()).toMatchObject({
      synced: true,
      lastError: undefined,
      lastContact: clock.now(),
    });
  });

  it("applies events, drops duplicates and old ones, and goes on from a bookmark", async () => {
    const stream = await begin(10, [object("a", 1)]);
    stream.send(event("MODIFIED", "a", 11));
    stream.send(event("MODIFIED", "a", 11));
    stream.send(event("DELETED", "a", 12));
    stream.send(event("MODIFIED", "a", 11));
    stream.send(event("ADDED", "b", 13));
    stream.send(bookmark(40));
    await until(() => store.get("n/b") !== undefined);
    expect(changes).toEqual(["added a 1@1", "updated a 1@11", "deleted a 1@11", "added b 1@13"]);
    const next = openStream();
    server.script(next.answer);
    stream.end();
    expect((await next.opened).query.get("resourceVersion")).toBe("40");
    expect(errors).toEqual([]);
  });

  it.each(["event", "answer"])("lists again after a 410 (%s) without emptying the store", async (kind) => {
    const stream = await begin(10, [object("a", 1), object("b", 2)]);
    const next = openStream();
    if (kind === "event") {
      server.script(list(50, [object("b", 2), object("c", 45)]), next.answer);
      stream.send(gone);
    } else {
      server.script(
        status(410, "Expired", "too old resource version"),
        list(50, [object("b", 2), object("c", 45)]),
        next.answer,
      );
      stream.end();
    }
    const request = await reopened(next);
    expect(request.query.get("resourceVersion")).toBe("50");
    expect(changes.slice(2)).toEqual(["added c 1@45", "deleted a 1@1"]);
  });

  it.each([401, 403, 500, 503])(
    "goes on for ever after %d, with growing pauses and a visible reason",
    async (code) => {
      const stream = await begin(10, []);
      const next = openStream();
      // The cut and two refusals: the fourth failure in a row would list again.
      server.script(
        ...Array.from({ length: code === 401 ? 4 : 2 }, () => status(code, "", "no")),
        next.answer,
      );
      stream.cut();
      await until(() => errors.length === 1);
      await until(() => clock.pending === 1);
      expect(clock.nextInMs).toBe(500);
      await clock.advance(500);
      await until(() => errors.length === 2 && clock.pending === 1);
      expect(reflector.health().lastError).toMatchObject({ code, at: clock.now() });
      expect(clock.nextInMs).toBe(1_000);
      await reopened(next);
      await until(() => reflector.health().lastError === undefined);
    },
  );

  it("lists for ever until the first list works", async () => {
    const stream = openStream();
    server.script(status(403, "Forbidden", "no list"), status(500, "", "down"), list(10, []), stream.answer);
    run();
    await reopened(stream);
    expect(errors).toHaveLength(2);
    expect(store.hasSynced()).toBe(true);
  });

  it.each([
    "garbage",
    '{"type":"ADDED"}',
    '{"type":"WHAT","object":{"metadata":{"resourceVersion":"1"}}}',
    "null",
  ])("reports the bad line %s and begins a new stream where the good ones ended", async (line) => {
    const stream = await begin(10, []);
    stream.send(event("ADDED", "a", 11));
    await until(() => store.size === 1);
    const next = openStream();
    server.script(next.answer);
    stream.send(line);
    expect((await reopened(next)).query.get("resourceVersion")).toBe("11");
    expect(errors).toEqual([expect.stringMatching(/not a watch event/)]);
  });

  it("lists again when the same version fails four times", async () => {
    const stream = await begin(10, []);
    const next = openStream();
    server.script(
      ...Array.from({ length: 3 }, () => status(500, "", "bad version")),
      list(60, []),
      next.answer,
    );
    stream.cut();
    expect((await reopened(next)).query.get("resourceVersion")).toBe("60");
  });

  it("forgets earlier failures once an event came", async () => {
    const stream = await begin(10, []);
    const second = openStream();
    server.script(status(500, "", "down"), second.answer);
    stream.cut();
    await reopened(second);
    second.send(event("ADDED", "a", 11));
    await until(() => store.size === 1);
    second.cut();
    await until(() => errors.length === 3 && clock.pending === 1);
    expect(clock.nextInMs).toBe(500);
  });

  it("leaves a half-open connection after the stall time, at once and without calling it an error state", async () => {
    const stream = await begin(10, []);
    await until(() => reflector.health().lastContact !== undefined);
    stream.send(event("ADDED", "a", 11));
    await until(() => store.size === 1);
    await clock.advance(60_000);
    stream.send(event("ADDED", "b", 12));
    await until(() => store.size === 2);
    await clock.advance(119_999);
    expect(watches()).toHaveLength(1);
    const next = openStream();
    server.script(next.answer);
    await clock.advance(1);
    expect((await next.opened).query.get("resourceVersion")).toBe("12");
    expect(errors).toEqual([expect.stringMatching(/nothing came for 120 s/)]);
    expect(reflector.health().lastError).toBeUndefined();
  });

  it("is kept alive by bookmarks", async () => {
    const stream = await begin(10, []);
    for (let i = 0; i < 5; i += 1) {
      await clock.advance(60_000);
      const before = reflector.health().lastContact;
      stream.send(bookmark(11 + i));
      await until(() => reflector.health().lastContact !== before);
    }
    expect(watches()).toHaveLength(1);
  });

  it("sees a deletion and a new object of the same name that happened in a gap", async () => {
    const stream = await begin(10, [object("a", 1, "old")]);
    const next = openStream();
    server.script(list(50, [object("a", 40, "new")]), next.answer);
    stream.send(gone);
    await reopened(next);
    expect(changes).toEqual(["added a old@1", "deleted a old@1", "added a new@40"]);
  });

  it("sees it also when only the addition is delivered", async () => {
    const stream = await begin(10, [object("a", 1, "old")]);
    stream.send(event("ADDED", "a", 20, "new"));
    await until(() => store.get("n/a")?.metadata.uid === "new");
    expect(changes).toEqual(["added a old@1", "deleted a old@1", "added a new@20"]);
  });

  it("does not hammer a server that closes each watch at once", async () => {
    const stream = await begin(10, []);
    const second = openStream();
    const third = openStream();
    server.script(second.answer, third.answer);
    stream.end();
    await until(() => clock.nextInMs === 500);
    expect(watches()).toHaveLength(1);
    await clock.advance(500);
    await second.opened;
    second.end();
    await until(() => clock.nextInMs === 1_000);
    expect(watches()).toHaveLength(2);
  });

  it("lists again at the end of a watch when the list is old", async () => {
    const stream = await begin(10, [object("a", 1)], { relistMs: 100_000 });
    await clock.advance(100_000);
    const next = openStream();
    server.script(list(9, []), next.answer);
    stream.end();
    expect((await next.opened).query.get("resourceVersion")).toBe("9");
    expect(changes.at(-1)).toBe("deleted a 1@1");
  });

  it("follows several namespaces into one store, synced when all are", async () => {
    const streams = [openStream(), openStream()];
    const byNamespace = (
      response: Parameters<OpenStream["answer"]>[0],
      request: Parameters<OpenStream["answer"]>[1],
    ) => {
      const namespace = request.path.split("/")[4]!;
      const answer = request.query.has("watch")
        ? streams[namespace === "n" ? 0 : 1]!.answer
        : list(10, [object("a", 1, "1", namespace)]);
      return answer(response, request);
    };
    server.script(byNamespace, byNamespace, byNamespace, byNamespace);
    run({ namespaces: ["n", "m"] });
    await Promise.all(streams.map((each) => each.opened));
    expect(new Set(store.list().map((each) => each.metadata.namespace))).toEqual(new Set(["m", "n"]));
    expect(store.hasSynced()).toBe(true);
  });

  it("stops wherever it is: in a list, in a watch, in a pause", async () => {
    server.script(() => {});
    run();
    await until(() => server.requests.length === 1);
    stop.abort(new Error("stop"));
    await running;
    expect(errors).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
