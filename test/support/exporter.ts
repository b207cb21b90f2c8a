import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Metrics of one service, whose numbers a test sets. */
export interface ExportedService {
  /** Requests per second from now on, and the share of them that fails. */
  traffic(perSecond: number, failing: number): void;
  /** Share of the requests, from now on, that take 2 s; the others take 50 ms. */
  slow(share: number): void;
  /** Requests per second to one route from now on, and the share of them that fails: counters of their own. */
  route(name: string, perSecond: number, failing: number): void;
  /** Age of the oldest message of a queue, seconds; undefined takes the series away. */
  queue(seconds: number | undefined): void;
  /** As if its pods were started anew: every counter begins at 0 again. */
  restart(): void;
  /** Answers 503 to scrapes while true: a scrape gap. */
  silent(silent: boolean): void;
}

/** A target for a real Prometheus: the default service at `/metrics`, others each at a path of its own. */
export interface Exporter extends ExportedService {
  readonly address: string;
  /** The service at `/NAME`, made when it is named first. */
  service(name: string): ExportedService;
  close(): Promise<void>;
}

const BUCKETS = [0.1, 1, 5];

export async function startExporter(): Promise<Exporter> {
  const services = new Map<string, GrowingService>();
  const service = (name: string) => {
    const known = services.get(name) ?? growingService();
    services.set(name, known);
    return known;
  };
  const server = createServer(({ url = "" }, response) => {
    const text = service(url.slice(1)).render();
    if (text === undefined) response.writeHead(503).end();
    else response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...service("metrics"),
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    service,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface GrowingService extends ExportedService {
  /** What a scrape gets; undefined while silent. */
  render(): string | undefined;
}

/** Counters grow with the clock between two scrapes, so rates are exact whatever the scrape's timing. */
function growingService(): GrowingService {
  const count = { ok: 0, bad: 0, quick: 0, slow: 0 };
  let rate = { perSecond: 0, failing: 0, slow: 0 };
  const routes = new Map<string, { ok: number; bad: number; perSecond: number; failing: number }>();
  let queueSeconds: number | undefined;
  let last = performance.now();
  let isSilent = false;
  const grow = () => {
    const now = performance.now();
    const requests = ((now - last) / 1_000) * rate.perSecond;
    count.bad += requests * rate.failing;
    count.ok += requests * (1 - rate.failing);
    count.slow += requests * rate.slow;
    count.quick += requests * (1 - rate.slow);
    for (const route of routes.values()) {
      route.bad += ((now - last) / 1_000) * route.perSecond * route.failing;
      route.ok += ((now - last) / 1_000) * route.perSecond * (1 - route.failing);
    }
    last = now;
  };
  return {
    traffic(perSecond, failing) {
      grow();
      rate = { ...rate, perSecond, failing };
    },
    slow(share) {
      grow();
      rate = { ...rate, slow: share };
    },
    route(name, perSecond, failing) {
      grow();
      routes.set(name, { ...(routes.get(name) ?? { ok: 0, bad: 0 }), perSecond, failing });
    },
    restart() {
      grow();
      Object.assign(count, { ok: 0, bad: 0, quick: 0, slow: 0 });
    },
    queue: (seconds) => (queueSeconds = seconds),
    silent: (silent) => (isSilent = silent),
    render() {
      if (isSilent) return undefined;
      grow();
      const { ok, bad, quick, slow } = count;
      const lines = [
        "# TYPE http_requests_total counter",
        `http_requests_total{status="200"} ${ok}`,
        `http_requests_total{status="500"} ${bad}`,
        "# TYPE http_request_duration_seconds histogram",
        ...BUCKETS.map(
          (bound) => `http_request_duration_seconds_bucket{le="${bound}"} ${quick + (bound >= 2 ? slow : 0)}`,
        ),
        `http_request_duration_seconds_bucket{le="+Inf"} ${quick + slow}`,
        `http_request_duration_seconds_sum ${quick * 0.05 + slow * 2}`,
        `http_request_duration_seconds_count ${quick + slow}`,
        ...(routes.size === 0 ? [] : ["# TYPE endpoint_requests_total counter"]),
        ...[...routes].flatMap(([route, counted]) => [
          `endpoint_requests_total{route="${route}",status="200"} ${counted.ok}`,
          `endpoint_requests_total{route="${route}",status="500"} ${counted.bad}`,
        ]),
        ...(queueSeconds === undefined
          ? []
          : ["# TYPE queue_oldest_seconds gauge", `queue_oldest_seconds ${queueSeconds}`]),
      ];
      return `${lines.join("\n")}\n`;
    },
  };
}
