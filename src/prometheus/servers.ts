import type { Dispatcher } from "undici";
import { parseDuration } from "../crds/duration.ts";
import type { Sample } from "../decision/sample.ts";
import type { MonotonicClock } from "./breaker.ts";
import { PrometheusClient, type OnQuery } from "./client.ts";
import { Sampler } from "./sampler.ts";
import { serverFromConfig, type PrometheusServer, type ServerConfig } from "./server.ts";
import { buildSignalQuery, FRESH_SCRAPES, type SignalSpec } from "./signal-query.ts";

export interface ServerEntry {
  readonly server: PrometheusServer;
  readonly sampler: Sampler;
  /** Smallest interval a policy may ask for, ms. */
  readonly minimumIntervalMs: number;
}

/** The admin's servers by name. */
export class PrometheusServers {
  readonly #entries: ReadonlyMap<string, ServerEntry>;

  constructor(
    configs: readonly (ServerConfig & { readonly minimumInterval: number })[],
    dispatcher: Dispatcher,
    clock: MonotonicClock,
    onQuery?: OnQuery,
  ) {
    this.#entries = new Map(
      configs.map((config) => {
        const server = serverFromConfig(config);
        const sampler = new Sampler(new PrometheusClient(server, dispatcher, clock, onQuery), clock);
        return [config.name, { server, sampler, minimumIntervalMs: config.minimumInterval }];
      }),
    );
  }

  get(name: string): ServerEntry | undefined {
    return this.#entries.get(name);
  }

  /** For messages: what a policy may name. */
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** One sample of a signal at an instant (ms since the epoch); a signal that cannot be asked is an Error sample. */
  async sampleOnce(
    spec: SignalSpec & { readonly prometheus: { readonly server: string } },
    namespace: string,
    atMs: number,
    signal: AbortSignal,
  ): Promise<Sample> {
    const entry = this.get(spec.prometheus.server);
    if (entry === undefined) return { kind: "Error", detail: this.unknownServer(spec.prometheus.server) };
    const query = buildSignalQuery(spec, entry.server, namespace);
    if (query.kind === "Refused") return { kind: "Error", detail: query.message };
    return entry.sampler.sample(query.value, atMs, signal);
  }

  /** How far back a sample of a signal looks, ms: its window, or for a free query the age that still is fresh. */
  lookbackMs(spec: SignalSpec & { readonly prometheus: { readonly server: string } }): number {
    const { ratio, quantile, server } = spec.prometheus;
    const window = ratio?.window ?? quantile?.window;
    if (window !== undefined) return parseDuration(window);
    return FRESH_SCRAPES * (this.get(server)?.server.scrapeIntervalMs ?? 0);
  }

  unknownServer(name: string): string {
    const known = this.names();
    const list = known.length === 0 ? "none is configured" : `configured are: ${known.join(", ")}`;
    return `the operator's configuration has no Prometheus server "${name}" (${list})`;
  }
}
