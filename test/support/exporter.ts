import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A target for a real Prometheus whose numbers a test sets: counters of requests, grown at a rate. */
export interface Exporter {
  readonly address: string;
  /** Requests per second from now on, and the share of them that fails. */
  traffic(perSecond: number, failing: number): void;
  /** Answers 503 to scrapes while true: a scrape gap. */
  silent(silent: boolean): void;
  close(): Promise<void>;
}

/** Counters grow with the clock between two scrapes, so rates are exact whatever the scrape's timing. */
export async function startExporter(): Promise<Exporter> {
  let ok = 0;
  let bad = 0;
  let rate = { perSecond: 0, failing: 0 };
  let last = performance.now();
  let isSilent = false;
  const grow = () => {
    const now = performance.now();
    const requests = ((now - last) / 1_000) * rate.perSecond;
    bad += requests * rate.failing;
    ok += requests * (1 - rate.failing);
    last = now;
  };
  const server = createServer((_request, response) => {
    if (isSilent) {
      response.writeHead(503).end();
      return;
    }
    grow();
    response
      .writeHead(200, { "content-type": "text/plain; version=0.0.4" })
      .end(
        `# TYPE http_requests_total counter\nhttp_requests_total{status="200"} ${ok}\nhttp_requests_total{status="500"} ${bad}\n`,
      );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    traffic(perSecond, failing) {
      grow();
      rate = { perSecond, failing };
    },
    silent: (silent) => (isSilent = silent),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
