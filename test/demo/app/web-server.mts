/**
 * The sample application: answers `/`, fails a share of the requests, says so in its metrics. It has the paths that the
 * runbook's checks and smoke tests ask; those in BROKEN_PATHS, separated by commas, fail.
 */
import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const PORT = 8080;
const WORK_MS = 5;
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

const version = process.env["VERSION"] ?? "unknown";
const brokenPaths = (process.env["BROKEN_PATHS"] ?? "").split(",");
const failRatio = Number(process.env["FAIL_RATIO"] ?? "0");
/** A setting that no error rate tells of: a wrong one gives wrong prices with status 200. */
const currency = process.env["CURRENCY"] ?? "EUR";

// A counter that begins with its first failure loses that failure to rate(): both begin at zero.
const requests = { "200": 0, "500": 0 };
const buckets = BUCKETS_SECONDS.map(() => 0);
const durations = { sum: 0, count: 0 };
let failuresDue = 0;

const health = JSON.stringify({ status: "healthy", version });
const lists = ["/models", "/models/providers", "/experiments", "/datasets", "/prompts"];
const json = new Map([
  ["/health/ready", health],
  ["/health/db", health],
  ...lists.map((path) => [path, "[]"] as const),
]);

const server = createServer((request, response) => {
  const path = request.url ?? "";
  if (brokenPaths.includes(path)) {
    response.writeHead(500).end("broken\n");
    return;
  }
  const document = json.get(path);
  if (document !== undefined) {
    response.setHeader("content-type", "application/json");
    response.end(document);
    return;
  }
  switch (path) {
    case "/":
      void work(response);
      return;
    case "/health":
    case "/healthz":
      response.end("OK\n");
      return;
    case "/metrics":
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(metrics());
      return;
    default:
      response.statusCode = 404;
      response.end("not found\n");
  }
});

async function work(response: ServerResponse): Promise<void> {
  const began = performance.now();
  await sleep(WORK_MS);
  // Exactly the given share fails, spread evenly: a dice would make the demo's numbers differ from run to run.
  failuresDue += failRatio;
  const fails = failuresDue >= 1;
  if (fails) failuresDue -= 1;
  response.statusCode = fails ? 500 : 200;
  response.setHeader("x-version", version);
  response.setHeader("x-currency", currency);
  response.end(fails ? "internal error\n" : `hello from ${version}: that is 9.99 ${currency}\n`);
  requests[fails ? "500" : "200"] += 1;
  observe((performance.now() - began) / 1000);
}

function observe(seconds: number): void {
  durations.sum += seconds;
  durations.count += 1;
  for (const [index, bound] of BUCKETS_SECONDS.entries()) {
    if (seconds <= bound) buckets[index] = (buckets[index] ?? 0) + 1;
  }
}

/** Prometheus text format 0.0.4. */
function metrics(): string {
  const name = "http_request_duration_seconds";
  return [
    "# TYPE http_requests_total counter",
    ...Object.entries(requests).map(([status, count]) => `http_requests_total{status="${status}"} ${count}`),
    `# TYPE ${name} histogram`,
    ...BUCKETS_SECONDS.map((bound, index) => `${name}_bucket{le="${bound}"} ${buckets[index]}`),
    `${name}_bucket{le="+Inf"} ${durations.count}`,
    `${name}_sum ${durations.sum}`,
    `${name}_count ${durations.count}`,
    "",
  ].join("\n");
}

// Requests under way are answered; the process ends with the last of them.
process.once("SIGTERM", () => server.close());
server.listen(PORT);
