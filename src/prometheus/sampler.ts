import type { Sample, TimedSample } from "../decision/sample.ts";
import type { Answer, Element, PrometheusError, Series } from "./answer.ts";
import { numberOf } from "./answer.ts";
import type { Proof } from "./bad-proof.ts";
import type { MonotonicClock } from "./breaker.ts";
import { classifyFree, classifyQuantile, classifyRatio } from "./classify.ts";
import type { PrometheusApi } from "./client.ts";
import type { QuantileQuery, SignalQuery } from "./signal-query.ts";

/** What was seen is not asked for again that long; what is missing is asked for at every sample. */
const PROOF_MS = 300_000;
/** Prometheus refuses a range of more than 11,000 points per series. */
const MAX_STEPS = 10_000;

export type HighestBucket =
  | { readonly kind: "Found"; readonly bound: number }
  | { readonly kind: "NoBuckets" }
  | { readonly kind: "Failed"; readonly error: PrometheusError };

/** Samples signals of one server. Errors are samples; only an abort of the caller's signal rejects. */
export class Sampler {
  readonly #api: PrometheusApi;
  readonly #clock: MonotonicClock;
  /** Queries under way: at most one sample each, however slow the server is. */
  readonly #inFlight = new Set<SignalQuery>();
  /** Proofs seen: monotonic ms until which they hold. */
  readonly #seen = new Map<string, number>();

  constructor(api: PrometheusApi, clock: MonotonicClock) {
    this.#api = api;
    this.#clock = clock;
  }

  /**
   * The signal at one instant (ms since the epoch). While an earlier sample of the same query object is under way
   * the sample is an Error.
   */
  async sample(query: SignalQuery, atMs: number, signal: AbortSignal): Promise<Sample> {
    signal.throwIfAborted();
    if (this.#inFlight.has(query)) {
      return {
        kind: "Error",
        detail: `Prometheus server "${this.#api.server.name}" has not answered the previous evaluation yet`,
      };
    }
    this.#inFlight.add(query);
    try {
      return await this.#sampleNow(query, atMs, signal);
    } finally {
      this.#inFlight.delete(query);
    }
  }

  /**
   * A sample for every step from `startMs` to `endMs` (both included), of the same classes that `sample` would have
   * given then. An error gives no samples: the past stays unknown, and its left edge moves right.
   */
  async sampleRange(
    query: SignalQuery,
    startMs: number,
    endMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Answer<readonly TimedSample[]>> {
    const unproven =
      query.kind === "ratio" ? await this.#firstMissing(query.proofs, endMs, signal) : undefined;
    if (typeof unproven === "object") {
      return { kind: "Failed", error: unproven };
    }
    const samples: TimedSample[] = [];
    for (let start = startMs; start <= endMs; start += MAX_STEPS * stepMs) {
      const end = Math.min(endMs, start + (MAX_STEPS - 1) * stepMs);
      const part = await this.#samplePart(query, { start, end, step: stepMs }, unproven, signal);
      if (part.kind === "Failed") {
        return part;
      }
      samples.push(...part.value);
    }
    return { kind: "Ok", value: samples, warnings: [] };
  }

  /** The highest finite bucket bound, in the sample's unit: a threshold above it can never be exceeded. */
  async highestFiniteBucket(query: QuantileQuery, atMs: number, signal: AbortSignal): Promise<HighestBucket> {
    const answer = await this.#api.instant(query.buckets, atMs, signal);
    if (answer.kind === "Failed") {
      return answer;
    }
    const bounds = answer.value.map(({ labels }) => numberOf(labels["le"] ?? "")).filter(Number.isFinite);
    return bounds.length === 0
      ? { kind: "NoBuckets" }
      : { kind: "Found", bound: Math.max(...bounds) * query.scale };
  }

  async #sampleNow(query: SignalQuery, atMs: number, signal: AbortSignal): Promise<Sample> {
    const [first, second] = rolesOf(query);
    const [one, two] = await Promise.all([
      this.#api.instant(first, atMs, signal),
      this.#api.instant(second, atMs, signal),
    ]);
    if (one.kind === "Failed") {
      return errorSample(one.error);
    }
    if (two.kind === "Failed") {
      return errorSample(two.error);
    }
    let unproven: string | PrometheusError | undefined;
    if (query.kind === "ratio" && one.value.length === 0) {
      unproven = await this.#firstMissing(query.proofs, atMs, signal);
    }
    return typeof unproven === "object"
      ? errorSample(unproven)
      : withWarnings(classify(query, one.value, two.value, unproven, atMs), [
          ...one.warnings,
          ...two.warnings,
        ]);
  }

  async #samplePart(
    query: SignalQuery,
    range: { readonly start: number; readonly end: number; readonly step: number },
    unproven: string | undefined,
    signal: AbortSignal,
  ): Promise<Answer<readonly TimedSample[]>> {
    const { start, end, step } = range;
    const [first, second] = rolesOf(query);
    const [one, two] = await Promise.all([
      this.#api.range(first, start, end, step, signal),
      this.#api.range(second, start, end, step, signal),
    ]);
    if (one.kind === "Failed") {
      return one;
    }
    if (two.kind === "Failed") {
      return two;
    }
    const ones = byInstant(one.value);
    const twos = byInstant(two.value);
    const warnings = [...one.warnings, ...two.warnings];
    const value: TimedSample[] = [];
    for (let at = start; at <= end; at += step) {
      const sample = classify(query, ones.get(at) ?? [], twos.get(at) ?? [], unproven, at);
      value.push({ at, sample: withWarnings(sample, warnings) });
    }
    return { kind: "Ok", value, warnings };
  }

  /** What the first proof without an answer misses; an error when the server failed; undefined when all were seen. */
  async #firstMissing(
    proofs: readonly Proof[],
    atMs: number,
    signal: AbortSignal,
  ): Promise<string | PrometheusError | undefined> {
    for (const { query, missing } of proofs) {
      if ((this.#seen.get(query) ?? -Infinity) > this.#clock.monotonic()) {
        continue;
      }
      const answer = await this.#api.instant(query, atMs, signal);
      if (answer.kind === "Failed") {
        return answer.error;
      }
      if (answer.value.length === 0) {
        return missing;
      }
      this.#remember(query);
    }
    return undefined;
  }

  #remember(proof: string): void {
    const now = this.#clock.monotonic();
    for (const [query, until] of this.#seen) {
      if (until <= now) {
        this.#seen.delete(query);
      }
    }
    this.#seen.set(proof, now + PROOF_MS);
  }
}

/** The two queries of a signal, in the order that `classify` takes their answers. */
function rolesOf(query: SignalQuery): readonly [string, string] {
  switch (query.kind) {
    case "ratio":
      return [query.bad, query.total];
    case "quantile":
      return [query.value, query.count];
    case "query":
      return [query.value, query.freshness];
  }
}

function classify(
  query: SignalQuery,
  first: readonly Element[],
  second: readonly Element[],
  unproven: string | undefined,
  atMs: number,
): Sample {
  switch (query.kind) {
    case "ratio":
      return classifyRatio(query, first, second, unproven);
    case "quantile":
      return classifyQuantile(query, first, second);
    case "query":
      return classifyFree(query, first, second, atMs);
  }
}

function byInstant(series: readonly Series[]): ReadonlyMap<number, readonly Element[]> {
  const instants = new Map<number, Element[]>();
  for (const { labels, points } of series) {
    for (const { at, value } of points) {
      const elements = instants.get(at) ?? [];
      elements.push({ labels, at, value });
      instants.set(at, elements);
    }
  }
  return instants;
}

function errorSample(error: PrometheusError): Sample {
  const { message: detail, isInvalidQuery } = error;
  return { kind: "Error", detail, ...(isInvalidQuery === true ? { isInvalidQuery } : {}) };
}

/** A server warns of partial data; the value stands, a person should see the warning. */
function withWarnings(sample: Sample, warnings: readonly string[]): Sample {
  if (sample.kind !== "Value" || warnings.length === 0) {
    return sample;
  }
  const notes = [...(sample.note === undefined ? [] : [sample.note]), ...new Set(warnings)];
  return { ...sample, note: notes.join("; ") };
}
