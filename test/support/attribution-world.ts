/** A service and its pods as their metrics show them: what attribution is tried on. Seconds since the world began. */

export const SCRAPE_SECONDS = 15;

export interface Pod {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export interface Service {
  readonly namespace: string;
  readonly app: string;
  readonly pods: readonly Pod[];
  /** Requests per second of each pod. */
  readonly rps: (second: number) => number;
  /** Share of bad requests: failed ones, or those slower than a second. */
  readonly bad: (second: number, pod: Pod) => number;
  /** Of the requests that `bad` speaks of; the rest goes to `/`. */
  readonly route?: string;
  /** The series have no label with the pod's name. */
  readonly hasNoPodLabel?: boolean;
  /** The first second that is stored. */
  readonly since: number;
}

/** Four pods of one template from the beginning on. */
export function standing(app: string, hash: string, count = 4): readonly Pod[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `${app}-${hash}-pod${i}x`,
    from: -Infinity,
    to: Infinity,
  }));
}

/** One pod after the other is replaced, each some seconds after the one before it. */
export function rolledOut(
  pods: readonly Pod[],
  app: string,
  hash: string,
  at: number,
  each = 30,
): readonly Pod[] {
  let next = at;
  return pods.flatMap((old, i) => {
    if (old.to !== Infinity) return [old];
    next += each;
    return [
      { ...old, to: next },
      { name: `${app}-${hash}-new${i}x`, from: next, to: Infinity },
    ];
  });
}

/** Its counters from `since` to `end` as OpenMetrics lines; `zero` in seconds since the epoch. */
export function linesOf(service: Service, zero: number, end: number): readonly string[] {
  return service.pods.flatMap((pod, i) => podLines(service, pod, i, zero, end));
}

function podLines(service: Service, pod: Pod, index: number, zero: number, end: number): readonly string[] {
  const { namespace, app, rps, bad, route = "/", hasNoPodLabel = false, since } = service;
  const labels = [
    `namespace="${namespace}"`,
    `app="${app}"`,
    `route="${route}"`,
    hasNoPodLabel ? `instance="10.0.0.${index}:8080"` : `pod="${pod.name}"`,
  ].join(",");
  const lines: string[] = [];
  let [total, failed] = [0, 0];
  // Pods are not scraped at the same moment.
  const phase = (index * 7) % SCRAPE_SECONDS;
  const first = Math.max(since, Number.isFinite(pod.from) ? pod.from : since);
  for (let second = first + phase; second < Math.min(end, pod.to); second += SCRAPE_SECONDS) {
    total += rps(second) * SCRAPE_SECONDS;
    failed += rps(second) * SCRAPE_SECONDS * bad(second, pod);
    const at = zero + second;
    const [all, wrong] = [Math.round(total), Math.round(failed)];
    lines.push(`requests_total{${labels},status="200"} ${all - wrong} ${at}`);
    if (wrong > 0) lines.push(`requests_total{${labels},status="500"} ${wrong} ${at}`);
    lines.push(`seconds_count{${labels}} ${all} ${at}`);
    lines.push(`seconds_bucket{${labels},le="0.1"} ${all - wrong} ${at}`);
    lines.push(`seconds_bucket{${labels},le="1.0"} ${all - wrong} ${at}`);
    lines.push(`seconds_bucket{${labels},le="5.0"} ${all} ${at}`);
    lines.push(`seconds_bucket{${labels},le="+Inf"} ${all} ${at}`);
  }
  return lines;
}
