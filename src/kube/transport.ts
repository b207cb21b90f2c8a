import type { Dispatcher } from "undici";
import { abortable, linkAbort } from "./abort.ts";
import { createAgentSource, type AgentSource } from "./agent.ts";
import { backoffDelay, type BackoffOptions } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";
import type { ClusterCredentials } from "./credentials.ts";
import { errorMessage, KubeError } from "./errors.ts";
import { jsonText } from "./json-text.ts";
import { DeadlineError, errorFromFailure, localError } from "./network-failure.ts";
import { readRawAnswer, type RawAnswer } from "./raw-answer.ts";
import { readBody } from "./response-body.ts";
import { errorFromAnswer, parseRetryAfter, type RequestIdentity } from "./status-answer.ts";

/** One request. `path` is already encoded; names for people and metrics ride along. */
export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  /** Extra headers as pairs: a name may come more than once. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly signal: AbortSignal;
  /** For the whole call with its retries; 15 s by default. */
  readonly deadlineMs?: number | undefined;
  /** The same request twice does what it does once: it may be retried although its outcome is unknown. */
  readonly idempotent: boolean;
  /** get, list, create, replace, patch, delete, watch. */
  readonly verb: string;
  /** Kind for metrics, e.g. `deployments.apps`: few values. */
  readonly resource: string;
  /** Object for messages, e.g. `deployments.apps shop/web`. */
  readonly target: string;
  /** False for a POST or PATCH that changes nothing (a review, a dry run); by default all but GET write. */
  readonly write?: boolean | undefined;
}

/** A request without what is the same for all calls about one kind. */
export type ResourceCall = Omit<TransportRequest, "headers" | "resource" | "signal">;

/** One attempt, for metrics. `code` is 0 when no answer came. */
export interface RequestObservation {
  readonly verb: string;
  readonly resource: string;
  readonly code: number;
  readonly seconds: number;
}

export interface TransportOptions {
  readonly credentials: ClusterCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly userAgent: string;
  readonly onRequest?: (observation: RequestObservation) => void;
  /**
   * For requests, 16 by default: more only wait in the server's queues, and each costs memory for TLS here and there.
   * Watches have connections of their own, as many as are open: they never keep a request waiting, nor wait for one.
   */
  readonly maxConnections?: number;
  /** Largest answer in bytes, 64 MiB by default. */
  readonly maxResponseBytes?: number;
  /** Attempts at most, the first included; 5 by default. */
  readonly maxAttempts?: number;
  readonly backoff?: BackoffOptions;
}

/** HTTP to one API server as one identity. Every failure is a KubeError. */
export interface Transport {
  /** The parsed JSON answer, the text when it is not JSON, undefined when it is empty. */
  request(request: TransportRequest): Promise<unknown>;
  /** The bytes of a watch. One attempt; the deadline covers the wait for headers only. */
  stream(request: TransportRequest): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Any answer, success or not, with at most `maxBytes` of its body. One attempt. An answer that began before the
   * deadline is given back as far as it came; throws KubeError when none did.
   */
  exchange(request: TransportRequest, maxBytes: number): Promise<RawAnswer>;
  close(): Promise<void>;
}

/** A transport over one connection pool. */
export function createTransport(options: TransportOptions): Transport {
  const { credentials, clock, random } = options;
  const requestAgents = createAgentSource(credentials, { maxConnections: options.maxConnections ?? 16 });
  const streamAgents = createAgentSource(credentials, { maxConnections: undefined });
  const basePath = new URL(credentials.server).pathname.replace(/\/$/, "");
  const origin = new URL(credentials.server).origin;
  const backoff = options.backoff ?? { baseMs: 200, maxMs: 5_000 };
  const maxAttempts = options.maxAttempts ?? 5;
  const maxBytes = options.maxResponseBytes ?? 64 * 1024 * 1024;

  async function send(
    agents: AgentSource,
    request: TransportRequest,
    signal: AbortSignal,
    timeoutMs: number,
  ) {
    const identity = identityOf(request);
    const auth = await abortable(credentials.headers(), signal).catch((failure: unknown) => {
      if (signal.aborted) throw errorFromFailure({ ...identity, write: false }, failure, signal);
      const detail = `credentials cannot be read: ${errorMessage(failure)}`;
      throw localError(identity, "CredentialsFailed", detail, { retryable: true, cause: failure });
    });
    return agents.current().request({
      origin,
      path: `${basePath}${request.path}${queryString(request.query)}`,
      method: request.method,
      headers: headerList(request, auth, options.userAgent),
      body: request.body === undefined ? null : jsonText(request.body),
      signal,
      headersTimeout: timeoutMs,
      bodyTimeout: 0,
    });
  }

  /** Sends once and observes. The answer's body is not read yet. Throws KubeError on anything but 2xx. */
  async function attempt<R>(
    agents: AgentSource,
    request: TransportRequest,
    signal: AbortSignal,
    timeoutMs: number,
    use: (response: Dispatcher.ResponseData) => Promise<R>,
  ): Promise<R> {
    const started = clock.monotonic();
    let code = 0;
    try {
      const response = await send(agents, request, signal, timeoutMs);
      code = response.statusCode;
      if (code >= 200 && code < 300) return await use(response);
      const body = await readBody(response, 1024 * 1024, identityOf(request));
      throw errorFromAnswer(
        identityOf(request),
        code,
        body,
        parseRetryAfter(response.headers["retry-after"], clock.now()),
      );
    } catch (failure) {
      throw failure instanceof KubeError ? failure : errorFromFailure(identityOf(request), failure, signal);
    } finally {
      const seconds = (clock.monotonic() - started) / 1_000;
      options.onRequest?.({ verb: request.verb, resource: request.resource, code, seconds });
    }
  }

  /** One attempt, and a second at once with fresh credentials when the first is answered with 401. */
  async function authorized<R>(
    agents: AgentSource,
    request: TransportRequest,
    signal: AbortSignal,
    timeoutMs: number,
    use: (response: Dispatcher.ResponseData) => Promise<R>,
  ): Promise<R> {
    try {
      return await attempt(agents, request, signal, timeoutMs, use);
    } catch (error) {
      if (!(error instanceof KubeError) || error.code !== 401) throw error;
      // When the source fails too, the 401 is the better message.
      const refreshed = await abortable(credentials.refresh(), signal).then(
        () => true,
        () => false,
      );
      if (!refreshed) throw error;
      return attempt(agents, request, signal, timeoutMs, use);
    }
  }

  async function request(request: TransportRequest): Promise<unknown> {
    const identity = identityOf(request);
    const deadlineMs = request.deadlineMs ?? 15_000;
    const endsAt = clock.monotonic() + deadlineMs;
    const link = linkAbort(request.signal);
    const timer = clock.setTimer(deadlineMs, () => link.abort(new DeadlineError(deadlineMs)));
    // A connection that died silently must not eat the whole deadline when a second attempt is allowed.
    const attemptMs = Math.ceil(request.idempotent ? deadlineMs * 0.6 : deadlineMs);
    let earlierUnknown = false;
    try {
      for (let attempts = 1; ; attempts += 1) {
        const failure = await authorized(requestAgents, request, link.signal, attemptMs, (response) =>
          readBody(response, maxBytes, identity),
        ).then(
          (value) => ({ value }),
          (error: unknown) => error as KubeError,
        );
        if (!(failure instanceof KubeError)) return failure.value;
        earlierUnknown ||= failure.outcomeUnknown;
        const delay = retryDelay(failure, attempts);
        const mayRetry = attempts < maxAttempts && mayResend(request, failure) && !link.signal.aborted;
        if (!mayRetry || delay >= endsAt - clock.monotonic()) throw rememberUnknown(failure, earlierUnknown);
        await clock.sleep(delay, link.signal).catch((reason: unknown) => {
          throw rememberUnknown(
            errorFromFailure({ ...identity, write: false }, reason, link.signal),
            earlierUnknown,
          );
        });
      }
    } finally {
      timer.cancel();
      link.unlink();
    }
  }

  function retryDelay(failure: KubeError, attempts: number): number {
    if (failure.retryAfterMs === undefined) return backoffDelay(attempts, backoff, random);
    return failure.retryAfterMs + backoff.baseMs * random();
  }

  async function stream(request: TransportRequest): Promise<AsyncIterable<Uint8Array>> {
    const identity = identityOf(request);
    const deadlineMs = request.deadlineMs ?? 15_000;
    const link = linkAbort(request.signal);
    const timer = clock.setTimer(deadlineMs, () => link.abort(new DeadlineError(deadlineMs)));
    try {
      const body = await authorized(
        streamAgents,
        request,
        link.signal,
        deadlineMs,
        async (response) => response.body,
      );
      return streamBody(body, identity, request.signal, () => link.unlink());
    } catch (error) {
      link.unlink();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  async function exchange(request: TransportRequest, maxBytes: number): Promise<RawAnswer> {
    const { verb, resource } = request;
    const deadlineMs = request.deadlineMs ?? 15_000;
    const link = linkAbort(request.signal);
    const timer = clock.setTimer(deadlineMs, () => link.abort(new DeadlineError(deadlineMs)));
    const started = clock.monotonic();
    let code = 0;
    try {
      const response = await send(requestAgents, request, link.signal, deadlineMs);
      code = response.statusCode;
      const answer = await readRawAnswer(response, maxBytes, link.signal);
      return { ...answer, elapsedMs: clock.monotonic() - started };
    } catch (failure) {
      throw failure instanceof KubeError
        ? failure
        : errorFromFailure(identityOf(request), failure, link.signal);
    } finally {
      timer.cancel();
      link.unlink();
      options.onRequest?.({ verb, resource, code, seconds: (clock.monotonic() - started) / 1_000 });
    }
  }

  return {
    request,
    stream,
    exchange,
    async close() {
      await Promise.all([requestAgents.close(), streamAgents.close()]);
    },
  };
}

async function* streamBody(
  body: Dispatcher.ResponseData["body"],
  identity: RequestIdentity,
  signal: AbortSignal,
  unlink: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (failure) {
    throw errorFromFailure(identity, failure, signal);
  } finally {
    // Leaving the loop early destroys the body, which closes the connection.
    unlink();
  }
}

/** A write that failed before it was sent, or was refused unread, may go again even when it is not idempotent. */
function mayResend(request: TransportRequest, failure: KubeError): boolean {
  if (!failure.retryable) return false;
  return (
    request.idempotent ||
    // Turned away by the server's flow control, which says when to come back, before anything was done.
    (failure.code === 429 && failure.retryAfterMs !== undefined) ||
    failure.reason === "ConnectionFailed" ||
    failure.reason === "CredentialsFailed"
  );
}

/** An earlier attempt may have done the work, so a later plain refusal (404, 409, 422) does not say that nothing happened. */
function rememberUnknown(failure: KubeError, earlierUnknown: boolean): KubeError {
  return earlierUnknown && !failure.outcomeUnknown
    ? new KubeError({ ...failure.facts, outcomeUnknown: true })
    : failure;
}

function identityOf(request: TransportRequest): RequestIdentity {
  const { verb, target, path } = request;
  return { verb, target, path, write: request.write ?? request.method !== "GET" };
}

function headerList(
  request: TransportRequest,
  auth: Readonly<Record<string, string>>,
  userAgent: string,
): string[] {
  const list = ["user-agent", userAgent];
  const extra = request.headers ?? [];
  if (!extra.some(([name]) => name === "accept")) list.push("accept", "application/json");
  if (request.body !== undefined) list.push("content-type", request.contentType ?? "application/json");
  for (const [name, value] of Object.entries(auth)) list.push(name, value);
  for (const [name, value] of extra) list.push(name, value);
  return list;
}

function queryString(query: TransportRequest["query"]): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== "") parameters.append(name, value);
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}
