import { mkdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Agent } from "undici";
import { createLineSplitter } from "../../src/kube/line-splitter.ts";
import { writeCertificates } from "../cluster/certificates.ts";

/** A call to the API server on its way through the proxy. */
export interface ApiCall {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Empty for a read. */
  readonly body: string;
}

export interface ApiAnswer {
  readonly status: number;
  /** The connection dies after so many bytes of the body. */
  readonly cutAt?: number;
  /** Name, value, name, value. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** The caller sees its connection die. */
export const CONNECTION_LOST = "ConnectionLost";

/**
 * What happens to a call that is not a watch. `forward` sends it to the API server and may be called late, once, or
 * not at all; its answer may be kept back.
 */
export type Interceptor = (
  call: ApiCall,
  forward: () => Promise<ApiAnswer>,
) => Promise<ApiAnswer | typeof CONNECTION_LOST>;

/**
 * What happens to a watch that is opened from now on: an answer instead of it, or its events, line by line without line
 * ends, as the client is to get them. A generator that throws ends the connection, one that waits keeps it silent.
 */
export type WatchInterceptor = (
  call: ApiCall,
  open: () => Promise<AsyncIterable<string>>,
) => Promise<ApiAnswer | AsyncIterable<string | Torn>>;

/** Bytes without a line end; nothing comes after them. */
export interface Torn {
  readonly torn: string;
}

/** Stands between one client and the API server; TLS ends here. */
export interface FaultProxy {
  readonly server: string;
  /** PEM of the authority that signed the proxy's certificate. */
  readonly caData: string;
  /** Every call from now on; undefined lets all through. */
  intercept(interceptor: Interceptor | undefined): void;
  /** Every watch opened from now on; undefined lets all through. */
  interceptWatches(interceptor: WatchInterceptor | undefined): void;
  /** Ends all connections; new ones are welcome. */
  hangUp(): void;
  /** From now on nothing gets through: the client is dead, what it had sent already is lost. */
  cut(): void;
  close(): Promise<void>;
}

/** Key and certificate that all proxies of a suite share. */
export interface ProxyIdentity {
  readonly key: string;
  readonly cert: string;
  readonly caData: string;
}

/** Files go to a folder of this name below `dir`. */
export async function proxyIdentity(dir: string, name: string): Promise<ProxyIdentity> {
  const folder = join(dir, name);
  await mkdir(folder, { recursive: true });
  const files = await writeCertificates(folder, ["127.0.0.1"]);
  const [key, cert, caData] = await Promise.all(
    [files.serverKey, files.serverCert, files.caCert].map((path) => readFile(path, "utf8")),
  );
  return { key: key ?? "", cert: cert ?? "", caData: caData ?? "" };
}

export async function startFaultProxy(
  target: { readonly server: string; readonly caData: string },
  identity: ProxyIdentity,
): Promise<FaultProxy> {
  const upstream = new Agent({
    allowH2: false,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { ca: target.caData },
  });
  const sockets = new Set<Duplex>();
  let interceptor: Interceptor | undefined;
  let watchInterceptor: WatchInterceptor | undefined;
  let isCut = false;

  async function forward(request: IncomingMessage, body: Buffer): Promise<ApiAnswer> {
    const answer = await upstream.request({
      origin: target.server,
      path: request.url ?? "/",
      method: request.method as "GET",
      headers: endToEnd(request.rawHeaders),
      body: body.byteLength === 0 ? null : body,
    });
    return {
      status: answer.statusCode,
      headers: endToEnd(flat(answer.headers)),
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }

  async function stream(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once("close", () => left.abort());
    const answer = await upstream.request({
      origin: target.server,
      path: request.url ?? "/",
      method: "GET",
      headers: endToEnd(request.rawHeaders),
      signal: left.signal,
    });
    response.writeHead(answer.statusCode, endToEnd(flat(answer.headers)));
    response.flushHeaders();
    await pipeline(answer.body, response, { signal: left.signal });
  }

  async function interceptedStream(
    intercept: WatchInterceptor,
    call: ApiCall,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const left = new AbortController();
    response.once("close", () => left.abort());
    const open = async () => {
      const answer = await upstream.request({
        origin: target.server,
        path: request.url ?? "/",
        method: "GET",
        headers: endToEnd(request.rawHeaders),
        signal: left.signal,
      });
      return linesOf(answer.body);
    };
    const outcome = await intercept(call, open);
    if ("status" in outcome) return send(outcome, request, response);
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for await (const line of outcome) {
      if (response.destroyed) return;
      response.write(typeof line === "string" ? `${line}\n` : line.torn);
    }
    response.end();
  }

  async function send(answer: ApiAnswer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, headers, body, cutAt } = answer;
    if (cutAt === undefined) {
      response.writeHead(status, [...headers]).end(body);
      return;
    }
    response.writeHead(status, [...headers, "content-length", String(body.byteLength)]);
    response.write(body.subarray(0, cutAt), () => request.socket.destroy());
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", target.server);
    const body = await readAll(request);
    if (isCut) throw new Error("cut");
    const call: ApiCall = {
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      body: body.toString("utf8"),
    };
    if (url.searchParams.get("watch") === "1") {
      if (watchInterceptor === undefined) return stream(request, response);
      return interceptedStream(watchInterceptor, call, request, response);
    }
    const pass = () => forward(request, body);
    const answer = await (interceptor === undefined ? pass() : interceptor(call, pass));
    if (answer === CONNECTION_LOST || isCut) throw new Error(CONNECTION_LOST);
    await send(answer, request, response);
  }

  const listener = createServer({ key: identity.key, cert: identity.cert }, (request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  // The client keeps connections as long as it likes, as the API server lets it.
  Object.assign(listener, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
  listener.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const hangUp = () => sockets.forEach((socket) => socket.destroy());
  await listening(listener);
  return {
    server: `https://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    caData: identity.caData,
    intercept: (next) => (interceptor = next),
    interceptWatches: (next) => (watchInterceptor = next),
    hangUp,
    cut() {
      isCut = true;
      hangUp();
    },
    async close() {
      isCut = true;
      hangUp();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
      await upstream.destroy();
    },
  };
}

/** A JSON answer of our own making. */
export function jsonAnswer(status: number, body: unknown): ApiAnswer {
  return { status, headers: ["content-type", "application/json"], body: Buffer.from(JSON.stringify(body)) };
}

/** `{code, reason}` as the API server says it. */
export function statusAnswer(
  code: number,
  reason: string,
  headers: readonly string[] = [],
  details: object = {},
): ApiAnswer {
  const status = { kind: "Status", apiVersion: "v1", status: "Failure", message: "made by a test" };
  const answer = jsonAnswer(code, { ...status, reason, code, details });
  return { ...answer, headers: [...answer.headers, ...headers] };
}

async function* linesOf(body: AsyncIterable<unknown>): AsyncGenerator<string> {
  const splitter = createLineSplitter();
  for await (const chunk of body) yield* splitter.push(chunk as Uint8Array);
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "host"]);

/** Names may come more than once (Impersonate-Group), so headers stay a list. */
function endToEnd(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name = "", value = ""] = raw.slice(index, index + 2);
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): readonly string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((each) => [name, each]),
  );
}
