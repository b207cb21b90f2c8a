import type { Dispatcher } from "undici";
import {
  liesWithQuestion,
  readFailure,
  readMatrix,
  readVector,
  type Answer,
  type Element,
  type Failure,
  type PrometheusError,
  type Read,
  type Series,
} from "./answer.ts";
import { Breaker, type BreakerOptions, type MonotonicClock } from "./breaker.ts";
import { readAlertingRules, type AlertingRule } from "./rules-answer.ts";
import type { PrometheusServer } from "./server.ts";
import { deliver, type Call, type Delivery } from "./transport.ts";

/** The queries that signals need; errors are answers, only an abort of `signal` rejects. Times in ms. */
export interface PrometheusApi {
  readonly server: PrometheusServer;
  instant(query: string, atMs: number, signal: AbortSignal): Promise<Answer<readonly Element[]>>;
  range(
    query: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Answer<readonly Series[]>>;
}

export interface RulesApi {
  /** All alerting rules of the server. */
  rules(signal: AbortSignal): Promise<Answer<readonly AlertingRule[]>>;
}

/** A clock that also tells the wall time (ms since the epoch) lets the server's clock be checked against it. */
export interface ServerClock extends MonotonicClock {
  now?(): number;
}

/** A server whose clock is further off tells onsets that cannot be held against the start of a release. */
const MAX_SKEW_MS = 10_000;

/** One query that was sent, for metrics; the result is `Ok` or the kind of its failure. */
export type OnQuery = (fact: {
  readonly server: string;
  readonly result: string;
  readonly seconds: number;
}) => void;

const BREAKER: BreakerOptions = { threshold: 5, openMs: 10_000 };

/** One Prometheus-compatible server. The dispatcher is shared; the breaker is the server's own. */
export class PrometheusClient implements PrometheusApi, RulesApi {
  readonly server: PrometheusServer;
  readonly #dispatcher: Dispatcher;
  readonly #clock: ServerClock;
  readonly #breaker: Breaker;
  readonly #onQuery: OnQuery;
  /** Why the breaker counts failures: what an open circuit answers with. */
  #lastFailure: PrometheusError | undefined;

  constructor(
    server: PrometheusServer,
    dispatcher: Dispatcher,
    clock: ServerClock,
    onQuery: OnQuery = () => undefined,
  ) {
    this.server = server;
    this.#dispatcher = dispatcher;
    this.#clock = clock;
    this.#onQuery = onQuery;
    this.#breaker = new Breaker(clock, BREAKER);
  }

  async instant(query: string, atMs: number, signal: AbortSignal): Promise<Answer<readonly Element[]>> {
    const form = { query, time: seconds(atMs) };
    return await this.#call({ path: "/api/v1/query", form }, signal, (body) => elementsAt(body, atMs));
  }

  async range(
    query: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Answer<readonly Series[]>> {
    const form = { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
    return await this.#call({ path: "/api/v1/query_range", form }, signal, readMatrix);
  }

  async rules(signal: AbortSignal): Promise<Answer<readonly AlertingRule[]>> {
    return await this.#call({ path: "/api/v1/rules?type=alert" }, signal, readAlertingRules);
  }

  async #call<T>(call: Call, signal: AbortSignal, read: Reader<T>): Promise<Answer<T>> {
    signal.throwIfAborted();
    if (!this.#breaker.tryAcquire()) {
      // The words of the failure behind it: a message that changed with every probe would be news for nothing.
      return {
        kind: "Failed",
        error: {
          kind: "CircuitOpen",
          message: this.#lastFailure?.message ?? `Prometheus server "${this.server.name}" is being probed`,
        },
      };
    }
    const began = this.#clock.monotonic();
    const sentAt = this.#clock.now?.();
    let answer: Answer<T>;
    try {
      const delivery = await deliver(this.server, this.#dispatcher, call, signal);
      answer = this.#judge(delivery, sentAt, read);
    } catch (error) {
      this.#breaker.abandoned();
      throw error;
    }
    const result = answer.kind === "Ok" ? "Ok" : answer.error.kind;
    const seconds = (this.#clock.monotonic() - began) / 1_000;
    this.#onQuery({ server: this.server.name, result, seconds });
    if (answer.kind === "Failed" && call.form === undefined && answer.error.kind === "HttpError") {
      // Not every server has this part of the API, which says nothing about its queries.
      this.#breaker.abandoned();
    } else if (answer.kind === "Failed" && isOutage(answer.error)) {
      this.#lastFailure = answer.error;
      this.#breaker.failed();
    } else {
      this.#breaker.succeeded();
    }
    return answer;
  }

  #judge<T>(delivery: Delivery, sentAt: number | undefined, read: Reader<T>): Answer<T> {
    switch (delivery.kind) {
      case "Timeout":
        return this.#failed("Timeout", `did not answer within ${this.server.timeoutMs}ms`);
      case "Unreachable":
        return this.#failed("Unreachable", `cannot be reached: ${delivery.why}`);
      case "TooLarge":
        return this.#failed("TooLarge", "sent an answer larger than 8 MiB");
      case "Answered":
        return this.#judgeBody(delivery, sentAt, read);
    }
  }

  #judgeBody<T>(delivery: AnsweredDelivery, sentAt: number | undefined, read: Reader<T>): Answer<T> {
    const { status, contentType, date } = delivery;
    const body = parseJson(delivery.text);
    const failure = readFailure(body);
    if (failure !== undefined) {
      return this.#refused(status, failure);
    }
    if (status >= 300 && status < 400) {
      return this.#failed("HttpError", `answered with a redirect (HTTP ${status}), which is not followed`);
    }
    if (status === 413) {
      return this.#failed("TooLarge", `answered HTTP ${status}: the question is too long for it`);
    }
    if (status !== 200) {
      return this.#failed("HttpError", `answered HTTP ${status}`);
    }
    if (contentType !== undefined && !/\bjson\b/i.test(contentType)) {
      const what = contentType.slice(0, 100);
      return this.#failed("Garbage", `sent ${what}, which is not one of the Prometheus API`);
    }
    const skewMs = skewOf(date, sentAt, this.#clock.now?.());
    if (Math.abs(skewMs) > MAX_SKEW_MS) {
      return this.#failed("ClockSkew", whatSkew(skewMs));
    }
    const answer = read(body);
    if (answer === undefined) {
      return this.#failed("Garbage", "sent an answer that is not one of the Prometheus API");
    }
    if (answer.kind === "OtherTime") {
      return this.#failed("ClockSkew", "answered for another time than it was asked for");
    }
    const [warning] = answer.warnings;
    return warning === undefined
      ? { kind: "Ok", value: answer.value }
      : this.#failed("Partial", `warned that its answer may be incomplete: ${warning.slice(0, 300)}`);
  }

  #refused<T>(status: number, { errorType, error }: Failure): Answer<T> {
    const said = error.slice(0, 300);
    switch (errorType) {
      case "bad_data":
      // VictoriaMetrics writes the HTTP status here.
      case "400":
        return invalidQuery(this.#failed("BadData", `refused the query: ${said}`), status);
      case "execution":
      case "422":
        return this.#failed("BadData", `refused the query: ${said}`);
      case "timeout":
      case "canceled":
        return this.#failed("Timeout", `gave the query up: ${said}`);
      default:
        return this.#failed("HttpError", `answered HTTP ${status}: ${said}`);
    }
  }

  #failed<T>(kind: PrometheusError["kind"], what: string): Answer<T> {
    return { kind: "Failed", error: { kind, message: `Prometheus server "${this.server.name}" ${what}` } };
  }
}

type AnsweredDelivery = Extract<Delivery, { readonly kind: "Answered" }>;

/** Undefined: not an answer of the API. */
type Reader<T> = (
  body: unknown,
) => (Read<T> & { readonly kind?: undefined }) | { readonly kind: "OtherTime" } | undefined;

/** The server is in trouble, whatever it is asked. */
function isOutage(error: PrometheusError): boolean {
  return !liesWithQuestion(error) && error.kind !== "ClockSkew";
}

/** How far the server's clock is ahead of ours, ms; 0 as far as it may have answered between sending and receiving. */
function skewOf(
  date: number | undefined,
  sentAt: number | undefined,
  receivedAt: number | undefined,
): number {
  if (date === undefined || sentAt === undefined || receivedAt === undefined) return 0;
  return Math.min(date - sentAt, 0) + Math.max(date - receivedAt, 0);
}

/** In whole tens of seconds: shown, and must not be news at every evaluation. */
function whatSkew(skewMs: number): string {
  const about = `${Math.round(Math.abs(skewMs) / 10_000) * 10}s`;
  return `has a clock about ${about} ${skewMs > 0 ? "ahead of" : "behind"} the operator's: set both by NTP`;
}

/** An instant answer must speak of the instant that was asked for, or `for` is measured on something else. */
function elementsAt(body: unknown, atMs: number): ReturnType<Reader<readonly Element[]>> {
  const read = readVector(body, atMs);
  const elsewhere = read?.value.some(({ at }) => Math.abs(at - atMs) > MAX_SKEW_MS);
  return elsewhere === true ? { kind: "OtherTime" } : read;
}

/** A gateway that answers 5xx in the words of Prometheus has not read the query. */
function invalidQuery<T>(answer: Answer<T>, status: number): Answer<T> {
  if (answer.kind !== "Failed" || status < 400 || status >= 500) return answer;
  return { ...answer, error: { ...answer.error, isInvalidQuery: true } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
