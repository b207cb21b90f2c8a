import type { Dispatcher } from "undici";
import {
  readFailure,
  readMatrix,
  readVector,
  type Answer,
  type Element,
  type Failure,
  type PrometheusError,
  type Series,
} from "./answer.ts";
import { Breaker, type BreakerOptions, type MonotonicClock } from "./breaker.ts";
import type { PrometheusServer } from "./server.ts";
import { postForm, type Delivery } from "./transport.ts";

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

/** One query that was sent, for metrics; the result is `Ok` or the kind of its failure. */
export type OnQuery = (fact: {
  readonly server: string;
  readonly result: string;
  readonly seconds: number;
}) => void;

const BREAKER: BreakerOptions = { threshold: 5, openMs: 10_000 };

/** One Prometheus-compatible server. The dispatcher is shared; the breaker is the server's own. */
export class PrometheusClient implements PrometheusApi {
  readonly server: PrometheusServer;
  readonly #dispatcher: Dispatcher;
  readonly #clock: MonotonicClock;
  readonly #breaker: Breaker;
  readonly #onQuery: OnQuery;
  /** Why the breaker counts failures: what an open circuit answers with. */
  #lastFailure: PrometheusError | undefined;

  constructor(
    server: PrometheusServer,
    dispatcher: Dispatcher,
    clock: MonotonicClock,
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
    return await this.#call("/api/v1/query", form, signal, (body) => readVector(body, atMs));
  }

  async range(
    query: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Answer<readonly Series[]>> {
    const form = { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
    return await this.#call("/api/v1/query_range", form, signal, readMatrix);
  }

  async #call<T>(
    path: string,
    form: Readonly<Record<string, string>>,
    signal: AbortSignal,
    read: (body: unknown) => Answer<T> | undefined,
  ): Promise<Answer<T>> {
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
    let answer: Answer<T>;
    try {
      answer = this.#judge(await postForm(this.server, this.#dispatcher, path, form, signal), read);
    } catch (error) {
      this.#breaker.abandoned();
      throw error;
    }
    const result = answer.kind === "Ok" ? "Ok" : answer.error.kind;
    const seconds = (this.#clock.monotonic() - began) / 1_000;
    this.#onQuery({ server: this.server.name, result, seconds });
    if (answer.kind === "Failed" && answer.error.kind !== "BadData") {
      this.#lastFailure = answer.error;
      this.#breaker.failed();
    } else {
      this.#breaker.succeeded();
    }
    return answer;
  }

  #judge<T>(delivery: Delivery, read: (body: unknown) => Answer<T> | undefined): Answer<T> {
    switch (delivery.kind) {
      case "Timeout":
        return this.#failed("Timeout", `did not answer within ${this.server.timeoutMs}ms`);
      case "Unreachable":
        return this.#failed("Unreachable", `cannot be reached: ${delivery.why}`);
      case "TooLarge":
        return this.#failed("Garbage", "sent an answer larger than 8 MiB");
      case "Answered":
        return this.#judgeBody(delivery.status, delivery.text, read);
    }
  }

  #judgeBody<T>(status: number, text: string, read: (body: unknown) => Answer<T> | undefined): Answer<T> {
    const body = parseJson(text);
    const failure = readFailure(body);
    if (failure !== undefined) {
      return this.#refused(status, failure);
    }
    if (status >= 300 && status < 400) {
      return this.#failed("HttpError", `answered with a redirect (HTTP ${status}), which is not followed`);
    }
    if (status !== 200) {
      return this.#failed("HttpError", `answered HTTP ${status}`);
    }
    return read(body) ?? this.#failed("Garbage", "sent an answer that is not one of the Prometheus API");
  }

  #refused<T>(status: number, { errorType, error }: Failure): Answer<T> {
    const said = error.slice(0, 300);
    switch (errorType) {
      case "bad_data":
        return invalidQuery(this.#failed("BadData", `refused the query: ${said}`), status);
      case "execution":
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
