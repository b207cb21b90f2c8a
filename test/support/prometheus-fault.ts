import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What a caller of Prometheus meets. */
export type PrometheusFault =
  | "none"
  | "down"
  | "slow"
  | "http500"
  | "garbage"
  | "truncated"
  | "wrongJson"
  /** What the server says is right, but its type is not. */
  | "wrongType"
  /** The right answer, with a warning beside it. */
  | "warnings"
  /** Its clock, as its HTTP answers tell it, is half a minute off. */
  | "clockAhead"
  | "clockBehind"
  | ChangedAnswer;

/** Well-formed answers that are not the right one. */
type ChangedAnswer =
  | "empty"
  | "nan"
  /** Every series twice. */
  | "several"
  /** Only some queries find their series. */
  | "partial"
  /** Series with other labels than those asked for. */
  | "relabelled"
  /** Values of another time than was asked for. */
  | "otherTime";

const CLOCK_OFF_MS = 30_000;

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

/** Whether a query reads series of the namespace; one query asks about those of many policies. */
export function asksAbout(namespace: string): (seen: SeenQuery) => boolean {
  const among = new RegExp(`namespace=~?"([^"]*\\|)?${namespace}[|"]`);
  return ({ query }) => among.test(query);
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
        send(response, await ask(upstream, request, form));
        return;
      case "down":
        response.destroy();
        return;
      case "slow":
        // Never: the caller's own deadline ends it.
        return;
      case "empty":
      case "nan":
      case "several":
      case "partial":
      case "relabelled":
      case "otherTime": {
        const right = await ask(upstream, request, form);
        send(response, { ...right, text: changed(fault, right.text, form.get("query") ?? "") });
        return;
      }
      case "warnings": {
        const right = await ask(upstream, request, form);
        const body = { ...(JSON.parse(right.text) as object), warnings: ["store b did not answer"] };
        send(response, { ...right, text: JSON.stringify(body) });
        return;
      }
      case "wrongType":
        send(response, await ask(upstream, request, form), { "content-type": "text/html; charset=utf-8" });
        return;
      case "clockAhead":
      case "clockBehind": {
        const offMs = fault === "clockAhead" ? CLOCK_OFF_MS : -CLOCK_OFF_MS;
        const date = new Date(Date.now() + offMs).toUTCString();
        send(response, await ask(upstream, request, form), { date });
        return;
      }
      case "http500":
        send(response, { status: 500, text: "the database is on fire" });
        return;
      case "garbage":
        send(response, { status: 200, text: "<html><body>Welcome to the proxy</body></html>" });
        return;
      case "truncated":
        response.writeHead(200, { "content-type": "application/json", "content-length": "4096" });
        response.write('{"status":"success","data":{"resultType":"vector","result":[{"metric"', () =>
          response.destroy(),
        );
        return;
      case "wrongJson":
        send(response, {
          status: 200,
          text: JSON.stringify({ status: "success", data: { resultType: "vector", result: 42 } }),
        });
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

interface Told {
  readonly status: number;
  readonly text: string;
}

async function ask(
  upstream: string,
  { url = "", method = "" }: IncomingMessage,
  form: URLSearchParams,
): Promise<Told> {
  const answer = await fetch(`${upstream}${url}`, { method, ...(method === "POST" ? { body: form } : {}) });
  return { status: answer.status, text: await answer.text() };
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Point;
  readonly values?: readonly Point[];
}
type Point = readonly [seconds: number, value: string];

/** The right answer to an instant or a range query, changed. */
function changed(fault: ChangedAnswer, text: string, query: string): string {
  const right = JSON.parse(text) as { readonly data: { readonly result: readonly Series[] } };
  const { result } = right.data;
  const wrong = (): readonly Series[] => {
    switch (fault) {
      case "empty":
        return [];
      case "nan":
        return result.map((series) => pointwise(series, ([seconds]) => [seconds, "NaN"]));
      case "several":
        return [...result, ...result];
      case "partial":
        // The store that holds the failed requests is there, the other one is not.
        return query.includes("5..") ? result : [];
      case "relabelled":
        return result.map((series) => ({ ...series, metric: { job: "web" } }));
      case "otherTime":
        return result.map((series) =>
          pointwise(series, ([seconds, value]) => [seconds - CLOCK_OFF_MS / 1_000, value]),
        );
    }
  };
  return JSON.stringify({ ...right, data: { ...right.data, result: wrong() } });
}

function pointwise(series: Series, change: (point: Point) => Point): Series {
  return {
    ...series,
    ...(series.value === undefined ? {} : { value: change(series.value) }),
    ...(series.values === undefined ? {} : { values: series.values.map(change) }),
  };
}

function send(
  response: ServerResponse,
  { status, text: body }: Told,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
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
