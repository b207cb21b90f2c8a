import { readFile } from "node:fs/promises";
import type { Dispatcher } from "undici";
import type { PrometheusServer } from "./server.ts";

export const MAX_BODY_BYTES = 8 * 1024 * 1024;

export type Delivery =
  | {
      readonly kind: "Answered";
      readonly status: number;
      readonly text: string;
      /** The headers, where there are such; `date` in ms since the epoch. */
      readonly contentType: string | undefined;
      readonly date: number | undefined;
    }
  | { readonly kind: "TooLarge" }
  | { readonly kind: "Timeout" }
  | { readonly kind: "Unreachable"; readonly why: string };

/** One call of the server's API: a form is POSTed, without one it is a GET. */
export interface Call {
  readonly path: string;
  readonly form?: Readonly<Record<string, string>>;
}

/**
 * Calls the server's API, follows no redirect, reads at most `MAX_BODY_BYTES`, ends at the server's deadline. Rejects
 * only when `signal` aborts.
 */
export async function deliver(
  server: PrometheusServer,
  dispatcher: Dispatcher,
  call: Call,
  signal: AbortSignal,
): Promise<Delivery> {
  signal.throwIfAborted();
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), server.timeoutMs);
  const abort = () => deadline.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await exchange(server, dispatcher, call, deadline.signal);
  } catch (error) {
    signal.throwIfAborted();
    return deadline.signal.aborted
      ? { kind: "Timeout" }
      : { kind: "Unreachable", why: whyUnreachable(error) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

async function exchange(
  server: PrometheusServer,
  dispatcher: Dispatcher,
  { path, form }: Call,
  signal: AbortSignal,
): Promise<Delivery> {
  const url = new URL(server.url);
  const token = await bearerToken(server, signal);
  const { statusCode, headers, body } = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname.replace(/\/+$/, "")}${path}`,
    method: form === undefined ? "GET" : "POST",
    headers: {
      ...basicAuth(url),
      ...server.headers,
      ...token,
      ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      accept: "application/json",
    },
    ...(form === undefined
      ? {}
      : { body: new URLSearchParams({ ...form, timeout: `${server.timeoutMs}ms` }).toString() }),
    signal,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > MAX_BODY_BYTES) {
      return { kind: "TooLarge" };
    }
    chunks.push(bytes);
  }
  return {
    kind: "Answered",
    status: statusCode,
    text: Buffer.concat(chunks).toString("utf8"),
    contentType: oneOf(headers["content-type"]),
    date: dateOf(oneOf(headers["date"])),
  };
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function dateOf(header: string | undefined): number | undefined {
  const date = Date.parse(header ?? "");
  return Number.isNaN(date) ? undefined : date;
}

async function bearerToken(server: PrometheusServer, signal: AbortSignal): Promise<Record<string, string>> {
  if (server.bearerTokenFile === undefined) {
    return {};
  }
  const token = await readFile(server.bearerTokenFile, { encoding: "utf8", signal });
  return { authorization: `Bearer ${token.trim()}` };
}

function basicAuth(url: URL): Record<string, string> {
  if (url.username === "") {
    return {};
  }
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** By error code only: messages of sockets and TLS carry addresses. */
function whyUnreachable(error: unknown): string {
  const code = codeOf(error);
  switch (code) {
    case "ECONNREFUSED":
      return "the connection was refused";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "its host name cannot be resolved";
    case "ECONNRESET":
    case "UND_ERR_SOCKET":
      return "the connection was closed";
    case "ENOENT":
    case "EACCES":
      return "its bearer token file cannot be read";
    case undefined:
      return "the request failed";
    default:
      return `the request failed (${code})`;
  }
}

/** Several addresses tried at once fail as one AggregateError; the code of the first is enough. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) {
    return undefined;
  }
  if ("code" in error && typeof error.code === "string") {
    return error.code;
  }
  if ("errors" in error && Array.isArray(error.errors)) {
    return codeOf(error.errors[0]);
  }
  return "cause" in error ? codeOf(error.cause) : undefined;
}
