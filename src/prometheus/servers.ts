import { isDeepStrictEqual } from "node:util";
import type { Dispatcher } from "undici";
import { parseDuration } from "../crds/duration.ts";
import type { Reading } from "../decision/sample.ts";
import { buildAlertQuery } from "./alert-query.ts";
import { Alerts } from "./alerts.ts";
import { PrometheusClient, type OnQuery, type ServerClock } from "./client.ts";
import { Sampler } from "./sampler.ts";
import type { Matchers } from "./selector.ts";
import { Seats } from "./seats.ts";
import { serverFromConfig, type PrometheusServer, type ServerConfig } from "./server.ts";
import { buildSignalQuery, FRESH_SCRAPES, type SignalSpec } from "./signal-query.ts";

export interface ServerEntry {
  readonly server: PrometheusServer;
  readonly sampler: Sampler;
  readonly alerts: Alerts;
  /** Smallest interval a policy may ask for, ms. */
  readonly minimumIntervalMs: number;
}

interface AlertSpec {
  readonly server: string;
  readonly matchers: Matchers;
}

type AdminServer = ServerConfig & { readonly minimumInterval: number };

/** The admin's servers by name. */
export class PrometheusServers {
  /** Of policies whose signals are asked for together. */
  readonly seats = new Seats();
  readonly #dispatcher: Dispatcher;
  readonly #clock: ServerClock;
  readonly #onQuery: OnQuery | undefined;
  readonly #listeners = new Set<() => void>();
  #entries: ReadonlyMap<string, ServerEntry & { readonly config: AdminServer }> = new Map();

  constructor(
    configs: readonly AdminServer[],
    dispatcher: Dispatcher,
    clock: ServerClock,
    onQuery?: OnQuery,
  ) {
    this.#dispatcher = dispatcher;
    this.#clock = clock;
    this.#onQuery = onQuery;
    this.replace(configs);
  }

  /**
   * Puts other servers into force. One that did not change keeps its client with its breaker and what it has proved;
   * a changed one begins anew, which is how a policy sees that its queries have to be made again.
   */
  replace(configs: readonly AdminServer[]): void {
    const before = this.#entries;
    this.#entries = new Map(
      configs.map((config) => {
        const known = before.get(config.name);
        const entry = isDeepStrictEqual(known?.config, config) ? known : undefined;
        return [config.name, entry ?? this.#open(config)];
      }),
    );
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after each replacement; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #open(config: AdminServer) {
    const server = serverFromConfig(config);
    const api = new PrometheusClient(server, this.#dispatcher, this.#clock, this.#onQuery);
    const sampler = new Sampler(api, this.#clock);
    const alerts = new Alerts(api, this.#clock);
    return { config, server, sampler, alerts, minimumIntervalMs: config.minimumInterval };
  }

  get(name: string): ServerEntry | undefined {
    return this.#entries.get(name);
  }

  /** For messages: what a policy may name. */
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** One reading of a signal at an instant (ms since the epoch); a signal that cannot be asked is an Error sample. */
  async sampleOnce(
    spec: SignalSpec & { readonly prometheus: { readonly server: string } },
    namespace: string,
    atMs: number,
    signal: AbortSignal,
  ): Promise<Reading> {
    const entry = this.get(spec.prometheus.server);
    if (entry === undefined) return { kind: "Error", detail: this.unknownServer(spec.prometheus.server) };
    const query = buildSignalQuery(spec, entry.server, namespace);
    if (query.kind === "Refused") return { kind: "Error", detail: query.message };
    return entry.sampler.sample(query.value, atMs, signal);
  }

  /** One reading of the firing alerts that a signal counts, as `sampleOnce`. */
  async alertsOnce(
    spec: { readonly name: string; readonly alert: AlertSpec },
    namespace: string,
    atMs: number,
    signal: AbortSignal,
  ): Promise<Reading> {
    const { server, matchers } = spec.alert;
    const entry = this.get(server);
    if (entry === undefined) return { kind: "Error", detail: this.unknownServer(server) };
    const query = buildAlertQuery({ name: spec.name, matchers }, entry.server, namespace);
    if (query.kind === "Refused") return { kind: "Error", detail: query.message };
    return entry.alerts.read(query.value, atMs, signal);
  }

  /** How far back a sample of a signal looks, ms: its window, or for a free query the age that still is fresh. */
  lookbackMs(spec: SignalSpec & { readonly prometheus: { readonly server: string } }): number {
    const { ratio, quantile, server } = spec.prometheus;
    const window = ratio?.window ?? quantile?.window;
    if (window !== undefined) return parseDuration(window);
    return this.freshWithinMs(server);
  }

  /** How old a sample of a server may be to be fresh, ms. */
  freshWithinMs(server: string): number {
    return FRESH_SCRAPES * (this.get(server)?.server.scrapeIntervalMs ?? 0);
  }

  unknownServer(name: string): string {
    const known = this.names();
    const list = known.length === 0 ? "none is configured" : `configured are: ${known.join(", ")}`;
    return `the operator's configuration has no Prometheus server "${name}" (${list})`;
  }
}
