import type { Matchers, Parsed } from "./selector.ts";

/** A server of the administrator's configuration, as this folder reads it. Lengths in ms. */
export interface PrometheusServer {
  readonly name: string;
  /** Base address; a path prefix is kept. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Read again for every request: mounted tokens are replaced while we run. */
  readonly bearerTokenFile?: string | undefined;
  readonly scrapeIntervalMs: number;
  /** Forced into every selector with the policy's namespace as its value. */
  readonly namespaceLabel?: string | undefined;
  /** False refuses free queries. */
  readonly allowQuery?: boolean | undefined;
}

/** A server as the configuration file gives it, durations already in ms; an empty namespaceLabel forces none. */
export interface ServerConfig {
  readonly name: string;
  readonly url: string;
  readonly scrapeInterval: number;
  readonly timeout: number;
  readonly namespaceLabel: string;
  readonly bearerTokenFile?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly allowQuery?: boolean | undefined;
}

export function serverFromConfig(config: ServerConfig): PrometheusServer {
  return {
    name: config.name,
    url: config.url,
    timeoutMs: config.timeout,
    headers: config.headers,
    bearerTokenFile: config.bearerTokenFile,
    scrapeIntervalMs: config.scrapeInterval,
    namespaceLabel: config.namespaceLabel === "" ? undefined : config.namespaceLabel,
    allowQuery: config.allowQuery,
  };
}

/**
 * The matchers of a policy with the one that the server forces. `field` is where the policy has them, for the message
 * when they say something else.
 */
export function forcedMatchers(
  field: string,
  own: Matchers,
  { name, namespaceLabel }: PrometheusServer,
  namespace: string,
): Parsed<Matchers> {
  if (namespaceLabel === undefined) return { kind: "Parsed", value: own };
  if (namespaceLabel in own && own[namespaceLabel] !== namespace) {
    const message = `${field}.${namespaceLabel} must be "${namespace}": server "${name}" limits policies to their namespace`;
    return { kind: "Refused", message };
  }
  return { kind: "Parsed", value: { ...own, [namespaceLabel]: namespace } };
}
