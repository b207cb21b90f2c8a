import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { parseQuery, type Aggregation } from "./promql.ts";

/**
 * Answers the queries of ratio signals about applications, each with requests at a constant rate of which none or many
 * fail. It differs from Prometheus in this, and in nothing that the figures hang on: values do not come from samples (so
 * windows and staleness mean nothing, and the past is healthy up to the first instant that was told to fail), every answer is exact and comes at once, no series
 * tells pods apart, and what is not a sum of rates or a count of series is refused as bad data. Whoever asks which other
 * workloads breach too, to see whether a release is the cause, hears of none: many breach at once here only to see how
 * fast they are rolled back.
 */
export interface MockPrometheus {
  readonly url: string;
  /** Queries that were answered since the start: instant, and over a range. */
  readonly queries: () => { readonly instant: number; readonly range: number };
  readonly bytesSent: () => number;
  /** From now on half of the requests of these applications fail, or none. */
  fail(apps: readonly number[], failing: boolean): void;
  /** True: connections are torn down unanswered. */
  down(isDown: boolean): void;
  /** When the first answer was sent that shows an application failing, since it was told to: ms since the epoch. */
  firstBadAnswer(app: number): number | undefined;
  /** When each application was asked about by instant queries, ms since the epoch, and forgets it. */
  takeSampled(): ReadonlyMap<number, readonly number[]>;
  /** What it could not answer. */
  readonly refused: readonly string[];
  close(): Promise<void>;
}

export interface MockOptions {
  readonly apps: number;
  readonly nameOf: (app: number) => string;
  readonly namespaceOf: (app: number) => string;
  /** False: answers have no date, for askers whose clock runs faster. */
  readonly tellsTime?: boolean;
}

const METRIC = "http_requests_total";
const PER_SECOND = 100;
/** The question which workloads breach, and how many there are. */
const OTHERS = /topk\(\d+, count by/;
const STATUSES = ["200", "500"];

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Failing {
  /** When the first answer was sent that shows it, ms since the epoch. */
  firstAnswer: number | undefined;
  /** The first instant that was asked about since, seconds since the epoch. */
  firstInstant: number | undefined;
}

export async function startMockPrometheus(options: MockOptions): Promise<MockPrometheus> {
  const byName = new Map(Array.from({ length: options.apps }, (_, app) => [options.nameOf(app), app]));
  const failing = new Map<number, Failing>();
  const sampled = new Map<number, number[]>();
  const refused: string[] = [];
  const count = { instant: 0, range: 0, bytes: 0 };
  let isDown = false;

  /** Series of the applications that a selector names. */
  function seriesOf(
    { kind, labels, selector, added }: Aggregation,
    fails: (app: number) => boolean,
  ): readonly Series[] {
    // Sums of counters are asked for by pod.
    if (selector.metric !== METRIC || kind === "sum") return [];
    const named = selector.matchers.find(({ label, values }) => label === "app" && values !== undefined);
    const apps = named?.values?.flatMap((name) => byName.get(name) ?? []) ?? [...byName.values()];
    const groups = new Map<string, { readonly labels: Series["labels"]; value: number }>();
    for (const app of apps) {
      const identity = { app: options.nameOf(app), namespace: options.namespaceOf(app) };
      for (const status of STATUSES) {
        const own: Readonly<Record<string, string>> = { ...identity, status };
        if (!selector.matchers.every(({ label, matches }) => matches(own[label] ?? ""))) continue;
        const share = fails(app) ? 0.5 : status === "500" ? 0 : 1;
        const shown = Object.fromEntries(
          labels.flatMap((label) => (label in own ? [[label, own[label] ?? ""]] : [])),
        );
        const key = labels.map((label) => own[label]).join("\n");
        const group = groups.get(key) ?? { labels: { ...shown, ...added }, value: 0 };
        group.value += kind === "count" ? 1 : share * PER_SECOND;
        groups.set(key, group);
      }
    }
    return [...groups.values()];
  }

  /** As `or` does: of the same labels what stands leftmost. */
  function evaluate(
    aggregations: readonly Aggregation[],
    fails: (app: number) => boolean,
  ): readonly Series[] {
    const all = new Map<string, Series>();
    for (const series of aggregations.flatMap((each) => seriesOf(each, fails))) {
      const key = JSON.stringify(series.labels);
      if (!all.has(key)) all.set(key, series);
    }
    return [...all.values()];
  }

  function instant(form: URLSearchParams): { readonly body: unknown; readonly sent: () => void } {
    count.instant += 1;
    const aggregations = parseQuery(form.get("query") ?? "");
    const result = evaluate(aggregations, (app) => failing.has(app));
    const at = Number(form.get("time"));
    // Of the two queries of a ratio the one about failed requests: it names a status.
    const isBad = aggregations.every(
      ({ kind, selector }) => kind === "rate" && selector.matchers.some(({ label }) => label === "status"),
    );
    const apps = result.flatMap(({ labels }) => byName.get(labels["app"] ?? "") ?? []);
    for (const breach of apps.map((app) => failing.get(app))) {
      if (breach !== undefined) breach.firstInstant ??= at;
    }
    return {
      body: {
        resultType: "vector",
        result: result.map(({ labels, value }) => ({ metric: labels, value: [at, String(value)] })),
      },
      sent() {
        if (!isBad) return;
        const now = Date.now();
        for (const app of apps) {
          const list = sampled.get(app) ?? [];
          list.push(now);
          sampled.set(app, list);
          const breach = failing.get(app);
          if (breach !== undefined) breach.firstAnswer ??= now;
        }
      },
    };
  }

  function range(form: URLSearchParams): unknown {
    count.range += 1;
    const [start, end, step] = ["start", "end", "step"].map((name) => Number(form.get(name)));
    if (start === undefined || end === undefined || step === undefined || !(step > 0))
      throw new SyntaxError("no range");
    const instants = Array.from({ length: Math.floor((end - start) / step + 1.001) }, (_, index) =>
      Number((start + index * step).toFixed(3)),
    );
    const query = form.get("query") ?? "";
    const all = { labels: { __role__: "all" }, value: options.apps };
    const aggregations = OTHERS.test(query) ? undefined : parseQuery(query);
    const series = new Map<
      string,
      { metric: Series["labels"]; values: readonly (readonly [number, string])[] }
    >();
    for (const at of instants) {
      const fails = (app: number) => at >= (failing.get(app)?.firstInstant ?? Infinity);
      for (const { labels, value } of aggregations === undefined ? [all] : evaluate(aggregations, fails)) {
        const key = JSON.stringify(labels);
        const { values } = series.get(key) ?? { values: [] };
        series.set(key, { metric: labels, values: [...values, [at, String(value)]] });
      }
    }
    return { resultType: "matrix", result: [...series.values()] };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    if (isDown) {
      request.destroy();
      return;
    }
    let sent = () => {};
    let status = 200;
    let body: unknown;
    try {
      if (request.url === "/api/v1/query") {
        const vector = instant(form);
        body = { status: "success", data: vector.body };
        sent = vector.sent;
      } else if (request.url === "/api/v1/query_range") {
        body = { status: "success", data: range(form) };
      } else {
        throw new SyntaxError(`no such path: ${request.url}`);
      }
    } catch (error) {
      status = 400;
      body = { status: "error", errorType: "bad_data", error: String(error) };
      refused.push(`${String(error)} in ${(form.get("query") ?? "").slice(0, 200)}`);
    }
    const payload = JSON.stringify(body);
    count.bytes += payload.length;
    // Stamped before it is sent: whoever reads it can only be later.
    sent();
    response.sendDate = options.tellsTime !== false;
    response.writeHead(status, { "content-type": "application/json" }).end(payload);
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries: () => ({ instant: count.instant, range: count.range }),
    bytesSent: () => count.bytes,
    fail(apps, isFailing) {
      for (const app of apps) {
        if (isFailing) failing.set(app, { firstAnswer: undefined, firstInstant: undefined });
        else failing.delete(app);
      }
    },
    down(now) {
      isDown = now;
    },
    firstBadAnswer: (app) => failing.get(app)?.firstAnswer,
    takeSampled() {
      const taken = new Map(sampled);
      sampled.clear();
      return taken;
    },
    refused,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
