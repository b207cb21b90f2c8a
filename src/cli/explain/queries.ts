import type { PolicySignal } from "../../crds/rollback-policy.ts";
import { buildAlertQuery } from "../../prometheus/alert-query.ts";
import { serverFromConfig, type PrometheusServer } from "../../prometheus/server.ts";
import { buildSignalQuery, type SignalQuery } from "../../prometheus/signal-query.ts";
import type { Snapshot } from "./snapshot.ts";

/** One query of a signal, ready to paste. */
export interface SignalQueryText {
  readonly signal: string;
  /** What it gives, such as `value` or `requests`. */
  readonly gives: string;
  readonly query: string;
}

export interface Queries {
  readonly queries: readonly SignalQueryText[];
  /** What differs from what the operator asks, or cannot be written. One sentence each. */
  readonly notes: readonly string[];
}

/** The queries of every signal that is read from Prometheus, as the operator writes them. */
export function queriesOf({ policy, namespace, config }: Snapshot): Queries {
  const queries: SignalQueryText[] = [];
  const notes = new Set<string>();
  for (const signal of policy.spec.signals) {
    const name = (signal.prometheus ?? signal.alert)?.server;
    if (name === undefined) continue;
    const entry =
      config.kind === "Seen" ? config.value.prometheus.servers.find((each) => each.name === name) : undefined;
    if (config.kind === "Seen" && entry === undefined) {
      notes.add(`signal ${signal.name}: the operator's configuration has no Prometheus server "${name}"`);
    } else if (entry === undefined) {
      notes.add(
        `the operator's configuration is not visible to you: it may add a label, mostly namespace="${namespace}", to every selector`,
      );
    }
    const built = textsOf(
      signal,
      entry === undefined ? unknownServer(name) : serverFromConfig(entry),
      namespace,
    );
    if (typeof built === "string") notes.add(built);
    else queries.push(...built.map(([gives, query]) => ({ signal: signal.name, gives, query })));
  }
  return { queries, notes: [...notes] };
}

/** One that forces no label and refuses no window. */
function unknownServer(name: string): PrometheusServer {
  return { name, url: "", timeoutMs: 0, scrapeIntervalMs: 0 };
}

type Text = readonly [gives: string, query: string];

function textsOf(
  { alert, prometheus, ...signal }: PolicySignal,
  server: PrometheusServer,
  namespace: string,
): readonly Text[] | string {
  if (alert !== undefined) {
    const built = buildAlertQuery({ name: signal.name, matchers: alert.matchers }, server, namespace);
    return built.kind === "Refused" ? built.message : [["firing alerts", built.value.value]];
  }
  if (prometheus === undefined) return [];
  const built = buildSignalQuery({ ...signal, prometheus }, server, namespace);
  return built.kind === "Refused" ? built.message : textsOfQuery(built.value);
}

function textsOfQuery(query: SignalQuery): readonly Text[] {
  switch (query.kind) {
    case "ratio":
      return [
        ["ratio", `${query.bad} / ${query.total}`],
        ["requests/s", query.total],
      ];
    case "quantile":
      return [
        ["value", query.value],
        ["requests/s", query.count],
      ];
    case "query":
      return [
        ["value", query.value],
        ["newest sample", query.freshness],
      ];
  }
}
