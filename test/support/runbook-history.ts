/** An hour of metrics around a release after which a service breaks, as OpenMetrics, and some time beyond now. */

const SCRAPE_S = 15;
const BEFORE_S = 45 * 60;
const BEYOND_S = 30 * 60;
/** How long ago the release was: the longest `for` of the runbook has passed since its breach began. */
export const RELEASED_AGO_S = 7 * 60;
const BROKEN_AGO_S = RELEASED_AGO_S - 45;

/** What goes wrong after the release in the service of a namespace. */
export interface Failing {
  readonly namespace: string;
  /** Share of failed requests by route. */
  readonly failed?: Readonly<Record<string, number>>;
  /** Share of requests that take more than five seconds. */
  readonly slow?: number;
  /** Value of the gauge `corrupted_rows`. */
  readonly corrupted?: number;
}

/** `now` in seconds since the epoch. */
export function historyOf(services: readonly Failing[], now: number): string {
  const lines = services.flatMap((service) => linesOf(service, now));
  // One family after the other, as the format wants it.
  const family = (line: string) => line.slice(0, line.indexOf("{"));
  const sorted = lines.toSorted((a, b) => (family(a) < family(b) ? -1 : family(a) > family(b) ? 1 : 0));
  return `${sorted.join("\n")}\n# EOF\n`;
}

function linesOf(service: Failing, now: number): readonly string[] {
  const { namespace, failed = {}, slow = 0, corrupted = 0 } = service;
  const labels = `namespace="${namespace}",app="web"`;
  const counters = new Map<string, number>();
  const lines: string[] = [];
  const count = (series: string, requests: number, at: number) => {
    const total = (counters.get(series) ?? 0) + requests;
    counters.set(series, total);
    lines.push(`${series} ${Math.round(total)} ${at}`);
  };
  for (let at = now - BEFORE_S; at < now + BEYOND_S; at += SCRAPE_S) {
    const isBroken = at >= now - BROKEN_AGO_S;
    for (const route of ["/", "/models"]) {
      const bad = isBroken ? (failed[route] ?? 0) : 0;
      const requests = 20 * SCRAPE_S;
      count(`http_requests_total{${labels},route="${route}",status="200"}`, requests * (1 - bad), at);
      count(`http_requests_total{${labels},route="${route}",status="500"}`, requests * bad, at);
    }
    const requests = 40 * SCRAPE_S;
    const fast = requests * (1 - (isBroken ? slow : 0));
    count(`request_seconds_bucket{${labels},le="1.0"}`, fast, at);
    count(`request_seconds_bucket{${labels},le="5.0"}`, fast, at);
    count(`request_seconds_bucket{${labels},le="20.0"}`, requests, at);
    count(`request_seconds_bucket{${labels},le="+Inf"}`, requests, at);
    count(`request_seconds_count{${labels}}`, requests, at);
    lines.push(`corrupted_rows{${labels}} ${isBroken ? corrupted : 0} ${at}`);
  }
  return lines;
}
