import { setTimeout as sleep } from "node:timers/promises";
import { DEPLOYMENT, NAMESPACE } from "../demo-layout.ts";

/** Share of failed requests in the last ten seconds, as Prometheus had it at `at` (ms since the epoch). */
export interface RateSample {
  readonly at: number;
  readonly ratio: number;
}

const EVERY_MS = 250;
const WINDOW = "10s";

/** Written by hand and not taken from the operator: this is what it is checked against. */
const LABELS = `namespace="${NAMESPACE}",app="${DEPLOYMENT}"`;
const QUERY = `sum(rate(http_requests_total{${LABELS},status=~"5.."}[${WINDOW}])) / sum(rate(http_requests_total{${LABELS}}[${WINDOW}]))`;

/** Asks the Prometheus at this address until the signal aborts; what is no number is no sample. */
export function watchErrorRate(url: string, signal: AbortSignal): readonly RateSample[] {
  const samples: RateSample[] = [];
  void keepAsking(url, samples, signal);
  return samples;
}

async function keepAsking(url: string, samples: RateSample[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const at = Date.now();
    const ratio = await ask(url, at);
    if (Number.isFinite(ratio)) samples.push({ at, ratio });
    await sleep(Math.max(0, at + EVERY_MS - Date.now()), undefined, { signal }).catch(() => undefined);
  }
}

async function ask(url: string, at: number): Promise<number> {
  const query = new URLSearchParams({ query: QUERY, time: String(at / 1000) });
  try {
    const response = await fetch(`${url}/api/v1/query?${query.toString()}`, {
      signal: AbortSignal.timeout(2000),
    });
    const body = (await response.json()) as {
      readonly data?: { readonly result?: readonly { readonly value?: readonly [number, string] }[] };
    };
    return Number(body.data?.result?.[0]?.value?.[1] ?? Number.NaN);
  } catch {
    return Number.NaN;
  }
}

/** Where the unbroken run above the threshold began that still lasted at `until`; undefined when there is none. */
export function breachBefore(
  samples: readonly RateSample[],
  threshold: number,
  from: number,
  until: number,
): RateSample | undefined {
  const seen = samples.filter(({ at }) => at >= from && at <= until);
  const lastOk = seen.findLastIndex(({ ratio }) => ratio <= threshold);
  return seen[lastOk + 1];
}
