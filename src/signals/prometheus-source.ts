import type { Sampler } from "../prometheus/sampler.ts";
import type { Seat } from "../prometheus/seats.ts";
import type { FormQuery, FreeQuery, SignalQuery } from "../prometheus/signal-query.ts";
import type { PastReading, SignalSource } from "./source.ts";

/** A signal that is queried. The query object is kept for the life of a generation: samplers bound by it. */
export interface PrometheusSource extends SignalSource {
  readonly query: SignalQuery;
  readonly sampler: Sampler;
}

/** Gives the seat of the signal's policy; the kind counts for the first of its signals only. */
export type TakeSeat = (kind: string) => Seat;

/** One that can be asked for together with others sits beside them until it is closed; a free query is asked alone. */
export function prometheusSource(query: SignalQuery, sampler: Sampler, takeSeat: TakeSeat): PrometheusSource {
  return query.kind === "query"
    ? freeSource(query, sampler)
    : formSource(query, sampler, takeSeat(`${sampler.server} ${query.shape}`));
}

function formSource(asked: FormQuery, sampler: Sampler, seat: Seat): PrometheusSource {
  const membership = sampler.join(asked, seat.row);
  const { query } = membership;
  return {
    query,
    sampler,
    unit: query.unit,
    tickGroup: { key: seat.row },
    read: (at, _subject, signal) => membership.read(at, signal),
    readPast: async (start, end, step, signal) =>
      pastReading(await membership.readPast({ start, end, step }, signal)),
    ...(query.kind === "quantile" && query.form.format === "Classic"
      ? {
          async highestValue(at: number, signal: AbortSignal) {
            const highest = await membership.highestBucket(at, signal);
            return highest.kind === "Found" ? highest.bound : undefined;
          },
        }
      : {}),
    evidence: (question, signal) => sampler.evidence.read(query, question, signal),
    close() {
      membership.leave();
      seat.leave();
    },
  };
}

function freeSource(query: FreeQuery, sampler: Sampler): PrometheusSource {
  return {
    query,
    sampler,
    unit: query.unit,
    read: (at, _subject, signal) => sampler.sample(query, at, signal),
    readPast: async (start, end, step, signal) =>
      pastReading(await sampler.sampleRange(query, { start, end, step }, signal)),
    evidence: (question, signal) => sampler.evidence.read(query, question, signal),
  };
}

function pastReading(past: Awaited<ReturnType<Sampler["sampleRange"]>>): PastReading {
  return past.kind === "Failed" ? { kind: "Failed" } : { kind: "Read", parts: past.value };
}
