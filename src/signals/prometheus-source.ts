import { WHOLE } from "../decision/sample.ts";
import type { Sampler } from "../prometheus/sampler.ts";
import type { SignalQuery } from "../prometheus/signal-query.ts";
import type { SignalSource } from "./source.ts";

/** A signal that is queried. The query object is kept for the life of a generation: samplers bound by it. */
export interface PrometheusSource extends SignalSource {
  readonly query: SignalQuery;
  readonly sampler: Sampler;
}

export function prometheusSource(query: SignalQuery, sampler: Sampler): PrometheusSource {
  return {
    query,
    sampler,
    unit: query.unit,
    read: (at, _subject, signal) => sampler.sample(query, at, signal),
    async readPast(start, end, stepMs, signal) {
      const past = await sampler.sampleRange(query, start, end, stepMs, signal);
      return past.kind === "Failed"
        ? { kind: "Failed" }
        : { kind: "Read", parts: new Map([[WHOLE, past.value]]) };
    },
    ...(query.kind === "quantile"
      ? {
          async highestValue(at: number, signal: AbortSignal) {
            const highest = await sampler.highestFiniteBucket(query, at, signal);
            return highest.kind === "Found" ? highest.bound : undefined;
          },
        }
      : {}),
  };
}
