import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What a caller of Prometheus meets. */
export type PrometheusFault =
  "none" | "down" | "slow" | "empty" | "nan" | "several" | "http500" | "garbage" | "truncated" | "wrongJson";

/** Stands before a real Prometheus and passes everything through until it is told otherwise. */
export interface PrometheusFaultProxy {
  readonly url: string;
  /** Every query that arrived: when (ms since the epoch), at which path, what it asked. */
  readonly queries: readonly SeenQuery[];
  set(fault: PrometheusFault): Promise<void>;
  close(): Promise<void>;
}

export interface SeenQuery {
  readonly at: number;
  readonly path: string;
  readonly query: string;
}

export async function startPrometheusFaultProxy(upstream: string): Promise<PrometheusFaultProxy> {
  const queries: SeenQuery[] = [];
  let fault: PrometheusFault = "none";
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const form = new URLSearchParams(await text(request));
    queries.push({ at: Date.now(), path, query: form.get("query") ?? "" });
    switch (fault) {
      case "none":
        return passOn(upstream, path, form, response);
      case "down":
        response.destroy();
        return;
      case "slow":
        // Never: the caller's own deadline ends it.
        return;
      case "empty":
      case "nan":
      case "several":
        send(response, 200, JSON.stringify(madeUp(fault, path, form)));
        return;
      case "http500":
        send(response, 500, "the database is on fire");
        return;
      case "garbage":
        send(response, 200, "<html><body>Welcome to the proxy</body></html>");
        return;
      case "truncated":
        response.writeHead(200, { "content-type": "application/json", "content-length": "4096" });
        response.write('{"status":"success","data":{"resultType":"vector","result":[{"metric"', () =>
          response.destroy(),
        );
        return;
      case "wrongJson":
        send(
          response,
          200,
          JSON.stringify({ status: "success", data: { resultType: "vector", result: 42 } }),
        );
    }
  }

  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    queries,
    async set(next) {
      const before = fault;
      fault = next;
      if (next === "down" && before !== "down") await stopListening(server);
      if (next !== "down" && before === "down") await listen(server, port);
    },
    async close() {
      if (fault !== "down") await stopListening(server);
    },
  };
}

async function passOn(
  upstream: string,
  path: string,
  form: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const answer = await fetch(`${upstream}${path}`, { method: "POST", body: form });
  send(response, answer.status, await answer.text());
}

/** Well-formed answers without a verdict, for instant and range queries. */
function madeUp(fault: "empty" | "nan" | "several", path: string, form: URLSearchParams): unknown {
  const isRange = path.endsWith("query_range");
  const value = fault === "nan" ? "NaN" : "0.5";
  const time = Number(form.get(isRange ? "end" : "time"));
  const point = isRange ? { values: [[time, value]] } : { value: [time, value] };
  const series = { empty: [], nan: [{}], several: [{ pod: "a" }, { pod: "b" }] }[fault];
  const result = series.map((metric) => ({ metric, ...point }));
  return { status: "success", data: { resultType: isRange ? "matrix" : "vector", result } };
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
