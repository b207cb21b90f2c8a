import type { Reading, TimedSample } from "../decision/sample.ts";
import type { MonotonicClock } from "./breaker.ts";
import type { HighestBucket } from "./bucket-reader.ts";
import { classifyFree } from "./classify.ts";
import type { PrometheusApi } from "./client.ts";
import { EvidenceReader } from "./evidence.ts";
import { errorSample } from "./error-sample.ts";
import { Gate } from "./gate.ts";
import type { GroupContext } from "./group-context.ts";
import { addReading, alongSteps, piecesOf, type PastAnswer } from "./past-reader.ts";
import { Proofs } from "./proofs.ts";
import type { Range } from "./roles.ts";
import { SignalGroup, type Membership } from "./signal-group.ts";
import type { FormQuery, FreeQuery, QuantileQuery, SignalQuery } from "./signal-query.ts";

/** Range queries under way at one server: their answers are large. */
const RANGES = 2;

/** Samples signals of one server. Errors are samples; only an abort of the caller's signal rejects. */
export class Sampler {
  /** What the server knows of the causes of breaches. */
  readonly evidence: EvidenceReader;
  readonly #context: GroupContext;
  /** Who is asked together, by form and row of seats. */
  readonly #groups = new Map<string, SignalGroup>();
  /** Free queries under way: at most one sample each, however slow the server is. */
  readonly #inFlight = new Set<FreeQuery>();

  constructor(api: PrometheusApi, clock: MonotonicClock) {
    this.evidence = new EvidenceReader(api);
    this.#context = { api, proofs: new Proofs(api, clock), gate: new Gate(RANGES) };
  }

  /** Name of the server. */
  get server(): string {
    return this.#context.api.server.name;
  }

  /** A place among the signals of the same form that sit in one row; it must be left. */
  join(query: FormQuery, row: string): Membership {
    const key = `${query.shape} ${row}`;
    const group = this.#groups.get(key) ?? new SignalGroup(this.#context, () => this.#groups.delete(key));
    this.#groups.set(key, group);
    return group.join(query);
  }

  /**
   * The signal at one instant (ms since the epoch), asked for alone. While an earlier sample of the same free query is
   * under way the sample is an Error.
   */
  async sample(query: SignalQuery, atMs: number, signal: AbortSignal): Promise<Reading> {
    signal.throwIfAborted();
    if (query.kind !== "query") return await this.#alone(query).read(atMs, signal);
    if (this.#inFlight.has(query)) {
      return {
        kind: "Error",
        detail: `Prometheus server "${this.#context.api.server.name}" has not answered the previous evaluation yet`,
      };
    }
    this.#inFlight.add(query);
    try {
      return await this.#sampleFree(query, atMs, signal);
    } finally {
      this.#inFlight.delete(query);
    }
  }

  /**
   * A sample for every step of the range by part, of the same classes that `sample` would have given then. An error
   * gives no samples: the past stays unknown, and its left edge moves right.
   */
  async sampleRange(query: SignalQuery, range: Range, signal: AbortSignal): Promise<PastAnswer> {
    signal.throwIfAborted();
    if (query.kind !== "query") return await this.#alone(query).readPast(range, signal);
    return await this.#context.gate.pass(() => this.#rangeOfFree(query, range, signal));
  }

  /** The highest finite bucket bound, in the sample's unit: a threshold above it can never be exceeded. */
  async highestFiniteBucket(query: QuantileQuery, atMs: number, signal: AbortSignal): Promise<HighestBucket> {
    return await this.#alone(query).highestBucket(atMs, signal);
  }

  #alone(query: FormQuery): Membership {
    return new SignalGroup(this.#context).join(query);
  }

  async #sampleFree(query: FreeQuery, atMs: number, signal: AbortSignal): Promise<Reading> {
    const { api } = this.#context;
    const [value, freshness] = await Promise.all([
      api.instant(query.value, atMs, signal),
      api.instant(query.freshness, atMs, signal),
    ]);
    if (value.kind === "Failed") return errorSample(value.error);
    if (freshness.kind === "Failed") return errorSample(freshness.error);
    return classifyFree(query, value.value, freshness.value, atMs);
  }

  async #rangeOfFree(query: FreeQuery, range: Range, signal: AbortSignal): Promise<PastAnswer> {
    const { api } = this.#context;
    const parts = new Map<string, TimedSample[]>();
    for (const piece of piecesOf(range)) {
      const { start, end, step } = piece;
      const [value, freshness] = await Promise.all([
        api.range(query.value, start, end, step, signal),
        api.range(query.freshness, start, end, step, signal),
      ]);
      if (value.kind === "Failed") return value;
      if (freshness.kind === "Failed") return freshness;
      for (const [at, first, second] of alongSteps(value.value, freshness.value, piece)) {
        addReading(parts, at, classifyFree(query, first, second, at));
      }
    }
    return { kind: "Ok", value: parts };
  }
}
