import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { systemClock } from "./clock.ts";
import { staticCredentials, type ClusterCredentials } from "./credentials.ts";
import {
  isAborted,
  isApiNotServed,
  isNetworkError,
  isNotFound,
  isUnauthorized,
  type KubeError,
  outcomeUnknown,
} from "./errors.ts";
import { createFakeClock, until, type FakeClock } from "./testing/fake-clock.ts";
import {
  json,
  notFound,
  openStream,
  reset,
  silence,
  startScriptedServer,
  status,
  type ScriptedServer,
} from "./testing/scripted-server.ts";
import {
  createTransport,
  type RequestObservation,
  type Transport,
  type TransportRequest,
} from "./transport.ts";

let server: ScriptedServer;
let clock: FakeClock;
let transport: Transport;
let seen: RequestObservation[];
const never = new AbortController().signal;

beforeEach(async () => {
  server = await startScriptedServer();
  clock = createFakeClock();
  seen = [];
  transport = open(staticCredentials({ server: server.url, token: "t0" }));
});

afterEach(async () => {
  await transport.close();
  await server.close();
});

function open(credentials: ClusterCredentials, more: { readonly maxResponseBytes?: number } = {}): Transport {
  return createTransport({
    credentials,
    clock,
    random: () => 0,
    userAgent: "test/1",
    onRequest: (each) => seen.push(each),
    ...more,
  });
}

function get(more: Partial<TransportRequest> = {}): TransportRequest {
  const names = { verb: "get", resource: "pods", target: "pods shop/web" };
  return {
    method: "GET",
    path: "/api/v1/namespaces/shop/pods/web",
    idempotent: true,
    signal: never,
    ...names,
    ...more,
  };
}

function post(more: Partial<TransportRequest> = {}): TransportRequest {
  return get({
    method: "POST",
    path: "/api/v1/pods",
    body: { a: 1 },
    idempotent: false,
    verb: "create",
    ...more,
  });
}

/** Runs a request while the clock moves on whenever something waits for it. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const result = promise.catch((error: unknown) => error);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5, pause));
  while ((await Promise.race([result, pause()])) === pause) {
    // The first timer is the deadline of 15 s: only shorter waits, those between attempts, are jumped over.
    if (clock.nextInMs !== undefined && clock.nextInMs < 9_000) await clock.advance(clock.nextInMs);
  }
  return result;
}

describe("transport", () => {
  it("sends headers, query and body, and parses JSON", async () => {
    server.script(json(200, { ok: true }));
    const headers = [
      ["impersonate-group", "a"],
      ["impersonate-group", "b"],
    ] as const;
    const answer = await transport.request(post({ headers, query: { dryRun: "All", empty: undefined } }));
    expect(answer).toEqual({ ok: true });
    const [request] = server.requests;
    expect(request).toMatchObject({ method: "POST", path: "/api/v1/pods", body: '{"a":1}' });
    expect(request!.query.toString()).toBe("dryRun=All");
    expect(request!.headers).toMatchObject({
      authorization: "Bearer t0",
      "user-agent": "test/1",
      "content-type": "application/json",
    });
    const groups = request!.rawHeaders.filter(
      (_, i, all) => i % 2 === 1 && all[i - 1] === "impersonate-group",
    );
    expect(groups).toEqual(["a", "b"]);
    expect(seen).toMatchObject([{ verb: "create", resource: "pods", code: 200 }]);
  });

  it("keeps the base path of the server", async () => {
    await transport.close();
    transport = open(staticCredentials({ server: `${server.url}/k8s/clusters/c1/` }));
    server.script(json(200, {}));
    await transport.request(get());
    expect(server.requests[0]!.path).toBe("/k8s/clusters/c1/api/v1/namespaces/shop/pods/web");
  });

  it("keeps connections open between calls", async () => {
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 5; i += 1) {
      server.script((response) => {
        ports.add(response.socket?.remotePort);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
      await transport.request(get());
    }
    // The pool opens a second one when the first is still putting away the last answer.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it("waits as long as Retry-After says", async () => {
    server.script(status(429, "TooManyRequests", "slow down", { "retry-after": "3" }), json(200, { ok: 1 }));
    expect(await outcome(transport.request(get()))).toEqual({ ok: 1 });
    expect(clock.monotonic()).toBe(3_000);
    expect(seen.map((each) => each.code)).toEqual([429, 200]);
  });

  it("gives up at once when Retry-After is beyond the deadline", async () => {
    server.script(status(429, "TooManyRequests", "slow down", { "retry-after": "60" }));
    expect(await outcome(transport.request(get()))).toMatchObject({
      code: 429,
      retryAfterMs: 60_000,
      retryable: true,
    });
  });

  it.each([500, 502, 503, 504])("tries an idempotent request again after %d", async (code) => {
    server.script(status(code, "", "etcdserver: leader changed"), json(200, { ok: 1 }));
    expect(await outcome(transport.request(get()))).toEqual({ ok: 1 });
  });

  it("tries no more than five times", async () => {
    server.script(...Array.from({ length: 6 }, () => status(503, "ServiceUnavailable", "down")));
    expect(await outcome(transport.request(get()))).toMatchObject({ code: 503 });
    expect(server.requests).toHaveLength(5);
  });

  it("repeats even a create when flow control turned it away", async () => {
    server.script(status(429, "TooManyRequests", "slow down", { "retry-after": "1" }), json(201, { ok: 1 }));
    expect(await outcome(transport.request(post()))).toEqual({ ok: 1 });
    expect(server.requests).toHaveLength(2);
  });

  it.each([429, 500, 503])("does not repeat a create after %d", async (code) => {
    server.script(status(code, "", "no"));
    const error = await outcome(transport.request(post()));
    expect(error).toMatchObject({ code });
    expect(outcomeUnknown(error)).toBe(code >= 500);
    expect(server.requests).toHaveLength(1);
  });

  it.each(["before headers", "after headers"] as const)(
    "tries a read again when the connection is cut %s",
    async (when) => {
      server.script(reset(when), json(200, { ok: 1 }));
      expect(await outcome(transport.request(get()))).toEqual({ ok: 1 });
    },
  );

  it.each(["before headers", "after headers"] as const)(
    "says that a write cut %s may have happened",
    async (when) => {
      server.script(reset(when));
      const error = await outcome(transport.request(post()));
      expect(isNetworkError(error) && outcomeUnknown(error)).toBe(true);
      expect((error as Error).message).toMatch(/may have taken effect/);
      expect(server.requests).toHaveLength(1);
    },
  );

  it("remembers a lost first attempt when the second is refused", async () => {
    server.script(reset("before headers"), notFound("pods", "web"));
    const error = await outcome(
      transport.request(post({ method: "DELETE", idempotent: true, verb: "delete" })),
    );
    expect(error).toMatchObject({ code: 404, reason: "NotFound", outcomeUnknown: true });
  });

  it("knows that a refused connection sent nothing, and then repeats writes too", async () => {
    const { url } = server;
    await transport.close();
    transport = open(staticCredentials({ server: url }));
    await server.close();
    const error = await outcome(transport.request(post()));
    server = await startScriptedServer();
    expect(error).toMatchObject({ reason: "ConnectionFailed", outcomeUnknown: false });
    expect(seen.length).toBeGreaterThan(1);
  });

  it("ends at the deadline", async () => {
    server.script(silence());
    const result = transport.request(post({ deadlineMs: 4_000 })).catch((error: unknown) => error);
    await until(() => server.requests.length === 1);
    await clock.advance(4_000);
    const error = await result;
    expect(error).toMatchObject({ reason: "DeadlineExceeded", outcomeUnknown: true });
    expect((error as Error).message).toMatch(/no answer within 4 s/);
    expect(clock.pending).toBe(0);
  });

  it("leaves time for a second attempt when a read hangs", async () => {
    // undici's own timer, so real time: 60 % of 1.5 s.
    await transport.close();
    transport = createTransport({
      credentials: staticCredentials({ server: server.url }),
      clock: systemClock(),
      random: () => 0,
      userAgent: "test/1",
    });
    server.script(silence(), json(200, { ok: 1 }));
    expect(await transport.request(get({ deadlineMs: 3_000 }))).toEqual({ ok: 1 });
  });

  it("ends when the caller aborts, in a request and in a wait between two", async () => {
    for (const answer of [silence(), status(503, "ServiceUnavailable", "down", { "retry-after": "5" })]) {
      const abort = new AbortController();
      const count = server.requests.length;
      server.script(answer);
      const result = transport.request(get({ signal: abort.signal })).catch((error: unknown) => error);
      await until(() => server.requests.length > count && (clock.pending === 2 || answer.length === 0));
      abort.abort(new Error("stop"));
      expect(isAborted(await result)).toBe(true);
      expect(clock.pending).toBe(0);
    }
  });

  it("refreshes credentials once after a 401", async () => {
    let token = "old";
    let refreshes = 0;
    await transport.close();
    transport = open({
      server: server.url,
      headers: async () => ({ authorization: `Bearer ${token}` }),
      refresh: async () => {
        token = "new";
        refreshes += 1;
      },
    });
    server.script(status(401, "Unauthorized", "no"), json(201, { ok: 1 }));
    expect(await outcome(transport.request(post()))).toEqual({ ok: 1 });
    expect(server.requests.map((each) => each.headers.authorization)).toEqual(["Bearer old", "Bearer new"]);

    server.script(status(401, "Unauthorized", "no"), status(401, "Unauthorized", "still no"));
    expect(isUnauthorized(await outcome(transport.request(get())))).toBe(true);
    expect(refreshes).toBe(2);
  });

  it("reports credentials that cannot be read, and tries again", async () => {
    let fails = 1;
    await transport.close();
    transport = open({
      server: server.url,
      headers: () => (fails-- > 0 ? Promise.reject(new Error("ENOENT token")) : Promise.resolve({})),
      refresh: async () => {},
    });
    server.script(json(200, { ok: 1 }));
    expect(await outcome(transport.request(post()))).toEqual({ ok: 1 });
    expect(seen.map((each) => each.code)).toEqual([0, 200]);
  });

  it("builds one readable sentence and keeps the facts", async () => {
    const details = {
      name: "web",
      kind: "pods",
      causes: [{ reason: "FieldValueInvalid", field: "spec.x", message: "bad" }],
    };
    const message = 'Pod "web" is invalid: spec.x: bad';
    server.script(json(422, { kind: "Status", code: 422, reason: "Invalid", message, details }));
    const error = (await outcome(transport.request(post()))) as KubeError;
    expect(error.message).toBe(`cannot create pods shop/web: ${message} (422 Invalid)`);
    expect(error).toMatchObject({ details, verb: "create", path: "/api/v1/pods", retryable: false });
  });

  it("tells an API that is not served from an object that is not there", async () => {
    server.script(
      (response) => void response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found"),
      json(404, { kind: "Status", code: 404, reason: "NotFound", message: "no such resource", details: {} }),
      notFound("pods", "web"),
    );
    expect(isApiNotServed(await outcome(transport.request(get())))).toBe(true);
    expect(isApiNotServed(await outcome(transport.request(get())))).toBe(true);
    const error = await outcome(transport.request(get()));
    expect([isApiNotServed(error), isNotFound(error)]).toEqual([false, true]);
  });

  it("bounds the size of an answer", async () => {
    await transport.close();
    transport = open(staticCredentials({ server: server.url }), { maxResponseBytes: 10 });
    server.script(json(200, { text: "x".repeat(100) }));
    expect(await outcome(transport.request(get()))).toMatchObject({
      reason: "BadResponse",
      retryable: false,
    });
  });

  it("calls a broken JSON answer to a write a write that may have happened", async () => {
    server.script(
      (response) => void response.writeHead(200, { "content-type": "application/json" }).end("{"),
    );
    expect(await outcome(transport.request(post()))).toMatchObject({
      reason: "BadResponse",
      outcomeUnknown: true,
    });
  });
});

describe("transport stream", () => {
  it("yields bytes as they come and ends with the server", async () => {
    const stream = openStream();
    server.script(stream.answer);
    const chunks = (await transport.stream(get({ verb: "watch" })))[Symbol.asyncIterator]();
    stream.send("one");
    expect(Buffer.from((await chunks.next()).value as Uint8Array).toString()).toBe("one\n");
    // The deadline is for the headers only.
    await clock.advance(60_000);
    stream.end();
    expect((await chunks.next()).done).toBe(true);
  });

  it("throws the refusal, the cut and the abort as KubeError", async () => {
    server.script(status(410, "Expired", "too old resource version"));
    await expect(transport.stream(get({ verb: "watch" }))).rejects.toMatchObject({ code: 410 });

    const cut = openStream();
    server.script(cut.answer);
    const first = (await transport.stream(get({ verb: "watch" })))[Symbol.asyncIterator]();
    cut.cut();
    await expect(first.next()).rejects.toMatchObject({ reason: "ConnectionLost", outcomeUnknown: false });

    const abort = new AbortController();
    server.script(openStream().answer);
    const second = (await transport.stream(get({ verb: "watch", signal: abort.signal })))[
      Symbol.asyncIterator
    ]();
    const next = second.next();
    abort.abort();
    await expect(next).rejects.toMatchObject({ reason: "Aborted" });
  });
});
