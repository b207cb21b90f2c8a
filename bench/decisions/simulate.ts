import type { App, Pod } from "./app.ts";
import type { Random } from "./random.ts";

export const SCRAPE_SECONDS = 15;

/** Upper bounds of the histogram's buckets, seconds. */
const BUCKETS: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** One sample of one series; `t` in seconds since the origin. */
export type Emit = (series: string, value: number, t: number) => void;

/** What was to be expected of one scrape interval, before chance came in: what labels can be timed by. */
export interface Expected {
  readonly t: number;
  /** By path. */
  readonly requests: ReadonlyMap<string, number>;
  readonly failures: ReadonlyMap<string, number>;
  /** Requests longer than a second. */
  readonly slow: number;
}

/** Plays a service from its first second to `end`, scrape by scrape, and tells every sample that is stored. */
export function simulate(app: App, end: number, random: Random, emit: Emit): readonly Expected[] {
  const scrapes = new Map(app.pods.map((pod) => [pod, new PodScrapes(app, pod, random)]));
  const expected: Expected[] = [];
  for (let t = app.since; t < end; t += SCRAPE_SECONDS) {
    const serving = app.pods.filter((pod) => t >= pod.ready && t < pod.to);
    const load = serving.length === 0 ? 0 : app.traffic(t) / serving.length;
    const moment = { t, requests: new Map<string, number>(), failures: new Map<string, number>(), slow: 0 };
    for (const pod of app.pods) {
      if (t + SCRAPE_SECONDS <= pod.from || t >= pod.to) continue;
      const scrape = scrapes.get(pod);
      moment.slow += scrape?.serve(t, serving.includes(pod) ? load : 0, moment) ?? 0;
      scrape?.store(t, emit);
    }
    expected.push(moment);
  }
  return expected;
}

/** The counters of one pod. */
class PodScrapes {
  readonly #app: App;
  readonly #pod: Pod;
  readonly #random: Random;
  /** Pods are scraped one after the other. */
  readonly #phase: number;
  /** A load balancer is not exact. */
  readonly #weight: number;
  /** In the order of the routes, then the histogram's. */
  readonly #requests: readonly RouteCounters[];
  readonly #histogram: HistogramCounters;
  readonly #counters: readonly Counter[];
  #restarts: readonly number[];

  constructor(app: App, pod: Pod, random: Random) {
    this.#app = app;
    this.#pod = pod;
    this.#random = random;
    this.#phase = Math.floor(random.between(0, SCRAPE_SECONDS) * 1000) / 1000;
    this.#weight = random.between(0.93, 1.07);
    const identity = app.namesPods ? `pod="${pod.name}"` : `instance="${pod.address}:8080"`;
    const labels = `namespace="${app.namespace}",app="${app.name}",${identity}`;
    this.#requests = app.routes.map(({ path }) => {
      const counter = (status: string) =>
        newCounter(`http_requests_total{${labels},route="${path}",status="${status}"}`);
      return { good: counter("200"), notFound: counter("404"), bad: counter(app.badStatus) };
    });
    const name = "http_request_duration_seconds";
    this.#histogram = {
      buckets: BUCKETS.map((bound) => newCounter(`${name}_bucket{${labels},le="${bound}"}`)),
      infinite: newCounter(`${name}_bucket{${labels},le="+Inf"}`),
      count: newCounter(`${name}_count{${labels}}`),
      sum: newCounter(`${name}_sum{${labels}}`),
    };
    const { buckets, infinite, count, sum } = this.#histogram;
    this.#counters = [
      ...this.#requests.flatMap(({ good, notFound, bad }) => [good, notFound, bad]),
      ...buckets,
      infinite,
      count,
      sum,
    ];
    this.#restarts = pod.restarts;
  }

  /** The requests of one interval; returns how many were to be expected to take longer than a second. */
  serve(
    t: number,
    load: number,
    { requests, failures }: { requests: Map<string, number>; failures: Map<string, number> },
  ): number {
    this.#restart(t);
    const { routes, failing, notFound, latency } = this.#app;
    const perSecond = load * this.#weight;
    let slow = 0;
    for (const [index, route] of routes.entries()) {
      const request = { t, pod: this.#pod, route, load: perSecond };
      const mean = perSecond * route.share * SCRAPE_SECONDS;
      const bad = mean * failing(request);
      add(requests, route.path, mean);
      add(failures, route.path, bad);
      const good = this.#random.poisson(mean - bad);
      const lost = Math.round(good * notFound);
      const failed = this.#random.poisson(bad);
      const counters = this.#requests[index];
      count(counters?.good, good - lost);
      count(counters?.notFound, lost);
      count(counters?.bad, failed);
      if (latency !== undefined) slow += mean * this.#time(good + failed, latency(request));
    }
    return slow;
  }

  /** What a scrape reads, unless it fails or the pod is not there. */
  store(t: number, emit: Emit): void {
    const at = t + this.#phase;
    if (at < this.#pod.from || at >= this.#pod.to) return;
    if (!this.#app.isScraped(this.#pod, at)) return;
    for (const { series, value } of this.#counters) if (value !== undefined) emit(series, value, at);
  }

  #restart(t: number): void {
    const [next, ...later] = this.#restarts;
    if (next === undefined || t < next) return;
    for (const counter of this.#counters) counter.value = undefined;
    this.#restarts = later;
  }

  /** Puts requests into the buckets; returns the share of them that takes longer than a second. */
  #time(requests: number, { median, sigma }: { readonly median: number; readonly sigma: number }): number {
    const { buckets, infinite, count: all, sum } = this.#histogram;
    const within = (bound: number) => normalShare(Math.log(bound / median) / sigma);
    let rest = requests;
    let below = 0;
    let cumulated = 0;
    for (const [index, bound] of BUCKETS.entries()) {
      const share = within(bound);
      const here = this.#binomial(rest, below >= 1 ? 0 : (share - below) / (1 - below));
      rest -= here;
      cumulated += here;
      below = share;
      observe(buckets[index], cumulated);
    }
    observe(infinite, requests);
    observe(all, requests);
    observe(sum, requests * median);
    return 1 - within(1);
  }

  #binomial(count: number, share: number): number {
    if (share <= 0 || count === 0) return 0;
    if (share >= 1) return count;
    return Math.min(count, this.#random.poisson(count * share));
  }
}

interface Counter {
  readonly series: string;
  /** Undefined until it is counted for the first time. */
  value: number | undefined;
}

interface RouteCounters {
  readonly good: Counter;
  readonly notFound: Counter;
  readonly bad: Counter;
}

interface HistogramCounters {
  readonly buckets: readonly Counter[];
  readonly infinite: Counter;
  readonly count: Counter;
  readonly sum: Counter;
}

function newCounter(series: string): Counter {
  return { series, value: undefined };
}

/** A client library makes a series when it is counted for the first time, not before. */
function count(counter: Counter | undefined, requests: number): void {
  if (counter !== undefined && requests > 0) counter.value = (counter.value ?? 0) + requests;
}

/** A histogram has all of its series from the beginning. */
function observe(counter: Counter | undefined, amount: number): void {
  if (counter !== undefined) counter.value = (counter.value ?? 0) + amount;
}

function add(map: Map<string, number>, key: string, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

/** The standard normal distribution; source: Abramowitz and Stegun 26.2.17, error below 1e-7. */
function normalShare(x: number): number {
  if (x < 0) return 1 - normalShare(-x);
  const k = 1 / (1 + 0.2316419 * x);
  const series =
    k * (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
  return 1 - (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series;
}
