import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import { PrometheusClient, type ServerClock } from "./client.ts";
import type { PrometheusServer } from "./server.ts";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly form: URLSearchParams;
}

let http: Server;
let agent: Agent;
let now = 0;
let seen: Seen[] = [];
let respond: (response: ServerResponse, request: IncomingMessage) => void;
const signal = new AbortController().signal;

beforeEach(async () => {
  now = 0;
  seen = [];
  agent = new Agent();
  http = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, form: new URLSearchParams(body) });
      respond(response, request);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await agent.destroy();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

function client(
  change: Partial<PrometheusServer> = {},
  clock: ServerClock = { monotonic: () => now },
): PrometheusClient {
  const { port } = http.address() as AddressInfo;
  const server = {
    name: "main",
    url: `http://127.0.0.1:${port}`,
    timeoutMs: 2000,
    scrapeIntervalMs: 1000,
    ...change,
  };
  return new PrometheusClient(server, agent, clock);
}

function answer(status: number, body: unknown): void {
  respond = (response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

function success(resultType: string, result: unknown, more: object = {}): object {
  return { status: "success", data: { resultType, result }, ...more };
}

describe("a good answer", () => {
  it("to an instant query: POST form, explicit time", async () => {
    answer(200, success("vector", [{ metric: { a: "b" }, value: [12.5, "+Inf"] }]));
    const url = `http://user:p%40ss@127.0.0.1:${(http.address() as AddressInfo).port}/prefix/`;
    const result = await client({ url, headers: { "x-scope-orgid": "tenant" } }).instant(
      "up",
      12_500,
      signal,
    );
    expect(result).toEqual({
      kind: "Ok",
      value: [{ labels: { a: "b" }, at: 12_500, value: Infinity }],
    });
    expect(seen[0]).toMatchObject({ method: "POST", url: "/prefix/api/v1/query" });
    expect(seen[0]?.headers).toMatchObject({
      "x-scope-orgid": "tenant",
      authorization: `Basic ${Buffer.from("user:p@ss").toString("base64")}`,
    });
    expect(Object.fromEntries(seen[0]!.form)).toEqual({ query: "up", time: "12.500", timeout: "2000ms" });
  });

  it("to a range query", async () => {
    answer(
      200,
      success("matrix", [
        {
          metric: {},
          values: [
            [1, "1"],
            [2, "NaN"],
          ],
        },
      ]),
    );
    const result = await client().range("up", 1000, 2000, 1000, signal);
    expect(result).toEqual({
      kind: "Ok",
      value: [
        {
          labels: {},
          points: [
            { at: 1000, value: 1 },
            { at: 2000, value: Number.NaN },
          ],
        },
      ],
    });
    expect(Object.fromEntries(seen[0]!.form)).toMatchObject({ start: "1.000", end: "2.000", step: "1.000" });
  });

  it("may be a scalar; a native histogram is no number", async () => {
    answer(200, success("scalar", [3, "4"]));
    expect(await client().instant("4", 3000, signal)).toMatchObject({ value: [{ at: 3000, value: 4 }] });
    answer(200, success("vector", [{ metric: {}, histogram: [3, {}] }]));
    expect(await client().instant("h", 3000, signal)).toMatchObject({ value: [{ value: Number.NaN }] });
  });

  it("sends the token as the file holds it now", async () => {
    const folder = await mkdtemp(join(tmpdir(), "token-"));
    const bearerTokenFile = join(folder, "token");
    answer(200, success("vector", []));
    const one = client({ bearerTokenFile });
    expect(await one.instant("up", 0, signal)).toMatchObject({
      error: { kind: "Unreachable", message: expect.stringContaining("bearer token file") },
    });
    for (const token of ["first", "second"]) {
      await writeFile(bearerTokenFile, `${token}\n`);
      await one.instant("up", 0, signal);
      expect(seen.at(-1)?.headers.authorization).toBe(`Bearer ${token}`);
    }
    await rm(folder, { recursive: true });
  });
});

describe("a bad answer", () => {
  const error = (errorType: string) => ({ status: "error", errorType, error: "what it said" });
  it.each([
    ["BadData", 400, error("bad_data")],
    ["BadData", 422, error("execution")],
    ["Timeout", 503, error("timeout")],
    ["HttpError", 500, error("internal")],
    ["HttpError", 500, "<html>oops</html>"],
    ["HttpError", 302, ""],
    ["HttpError", 401, ""],
    ["Garbage", 200, "<html>login</html>"],
    ["Garbage", 200, "{"],
    ["Garbage", 200, "null"],
    ["Garbage", 200, { status: "success" }],
    ["Garbage", 200, success("string", [1, "x"])],
    ["Garbage", 200, success("matrix", [])],
    ["Garbage", 200, success("vector", [{ metric: {}, value: ["1", 2] }])],
    ["HttpError", 200, error("unavailable")],
    ["BadData", 422, error("422")],
    ["BadData", 400, error("400")],
    ["TooLarge", 413, "<html>too long</html>"],
    ["Garbage", 200, success("vector", [{ metric: { a: 1 }, value: [0, "1"] }])],
    ["Garbage", 200, success("vector", [{ metric: {}, value: [0, "1", 2] }])],
    ["Garbage", 200, success("vector", [[]])],
    ["Garbage", 200, success("vector", {})],
    ["Partial", 200, success("vector", [], { warnings: ["a store did not answer"] })],
    ["Partial", 200, success("vector", [], { isPartial: true })],
    ["ClockSkew", 200, success("vector", [{ metric: {}, value: [30, "1"] }])],
    ["ClockSkew", 200, success("vector", [{ metric: {}, value: [-30, "1"] }])],
  ])("%s for HTTP %d %j", async (kind, status, body) => {
    answer(status, body);
    const result = await client({ name: "main" }).instant("up", 0, signal);
    expect(result).toMatchObject({ kind: "Failed", error: { kind } });
    expect(result.kind === "Failed" && result.error.message).toMatch(/^Prometheus server "main" /);
  });

  it("Garbage for another content type, whatever the body", async () => {
    respond = (response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(JSON.stringify(success("vector", [])));
    };
    expect(await client().instant("up", 0, signal)).toMatchObject({
      error: { kind: "Garbage", message: expect.stringContaining("sent text/html; charset=utf-8") },
    });
  });

  it.each([
    [30_000, "has a clock about 30s ahead of the operator's"],
    [-30_000, "has a clock about 30s behind the operator's"],
    [9_000, undefined],
    [-9_000, undefined],
  ])("ClockSkew where the server's clock is %d ms off, which is no outage", async (offMs, message) => {
    const wall = 1_700_000_000_000;
    respond = (response) => {
      response.writeHead(200, {
        "content-type": "application/json",
        date: new Date(wall + offMs).toUTCString(),
      });
      response.end(JSON.stringify(success("vector", [])));
    };
    const one = client({}, { monotonic: () => now, now: () => wall });
    for (let index = 0; index < 6; index += 1) {
      const result = await one.instant("up", 0, signal);
      if (message === undefined) expect(result).toMatchObject({ kind: "Ok" });
      else
        expect(result).toMatchObject({
          error: { kind: "ClockSkew", message: expect.stringContaining(message) },
        });
    }
  });

  it("TooLarge for a body of more than 8 MiB, even if it would be a good answer", async () => {
    const good = JSON.stringify(success("vector", []));
    answer(200, good + " ".repeat(8 * 1024 * 1024 - good.length));
    expect(await client().instant("up", 0, signal)).toMatchObject({ kind: "Ok" });
    answer(200, good + " ".repeat(8 * 1024 * 1024 - good.length + 1));
    const result = await client().instant("up", 0, signal);
    expect(result).toMatchObject({ error: { kind: "TooLarge", message: expect.stringContaining("8 MiB") } });
  });

  it("Timeout for silence, before and inside the body", async () => {
    respond = () => undefined;
    expect(await client({ timeoutMs: 50 }).instant("up", 0, signal)).toMatchObject({
      error: { kind: "Timeout" },
    });
    respond = (response) => response.write("{");
    expect(await client({ timeoutMs: 50 }).instant("up", 0, signal)).toMatchObject({
      error: { kind: "Timeout" },
    });
  });

  it("Unreachable when the connection is refused or cut, without the address", async () => {
    respond = (response) => response.destroy();
    const cut = await client().instant("up", 0, signal);
    expect(cut).toMatchObject({ error: { kind: "Unreachable" } });
    const gone = await client({ url: "http://user:secret@127.0.0.1:1" }).instant("up", 0, signal);
    expect(gone).toMatchObject({
      error: { kind: "Unreachable", message: expect.stringContaining("refused") },
    });
    expect(JSON.stringify([cut, gone])).not.toMatch(/127\.0|secret/);
  });

  it("rejects when the caller aborts, and only then", async () => {
    respond = () => undefined;
    const caller = new AbortController();
    const result = client().instant("up", 0, caller.signal);
    caller.abort(new Error("stopped"));
    await expect(result).rejects.toThrow("stopped");
    await expect(client().instant("up", 0, caller.signal)).rejects.toThrow("stopped");
  });
});

describe("the circuit", () => {
  it("opens after five failures, is not asked, and closes by one good probe", async () => {
    answer(500, "");
    const one = client();
    for (let index = 0; index < 6; index += 1) {
      await one.instant("up", 0, signal);
    }
    expect(seen).toHaveLength(5);
    expect(await one.instant("up", 0, signal)).toMatchObject({
      error: { kind: "CircuitOpen", message: expect.stringContaining("answered HTTP 500") },
    });
    answer(200, success("vector", []));
    now += 10_000;
    expect(await one.instant("up", 0, signal)).toMatchObject({ kind: "Ok" });
    expect(await one.instant("up", 0, signal)).toMatchObject({ kind: "Ok" });
  });

  it("is not opened by queries that the server refuses", async () => {
    answer(400, { status: "error", errorType: "bad_data", error: "parse error" });
    const one = client();
    for (let index = 0; index < 20; index += 1) {
      await one.instant("up(", 0, signal);
    }
    expect(seen).toHaveLength(20);
  });
});
