import { oldestNewestTimestamp } from "./promql.ts";
import { writeMatcher, writeSelector, type Matchers, type Parsed } from "./selector.ts";
import { forcedMatchers, type PrometheusServer } from "./server.ts";

/** How to ask for the firing alerts of a signal. */
export interface AlertQuery {
  /** Number of firing alerts; no series where there is none. */
  readonly value: string;
  /** Timestamp in seconds of the newest sample behind the value. */
  readonly freshness: string;
  /** What the matchers name. */
  readonly alertname: string | undefined;
  /** What the server forces its namespace label to; undefined where it forces none. */
  readonly forced: string | undefined;
}

/** The query of an alert signal, limited to the policy's namespace where the server forces that. Never throws. */
export function buildAlertQuery(
  { name, matchers }: { readonly name: string; readonly matchers: Matchers },
  server: PrometheusServer,
  namespace: string,
): Parsed<AlertQuery> {
  const all = forcedMatchers("alert.matchers", matchers, server, namespace);
  if (all.kind === "Refused") return { kind: "Refused", message: `signal ${name}: ${all.message}` };
  const selector = writeSelector({
    metric: "ALERTS",
    matchers: Object.entries({ alertstate: "firing", ...all.value }).map(([label, value]) => ({
      label,
      text: writeMatcher(label, [value]),
    })),
  });
  return {
    kind: "Parsed",
    value: {
      value: `count(${selector})`,
      freshness: oldestNewestTimestamp([selector]),
      alertname: matchers["alertname"],
      forced: server.namespaceLabel === undefined ? undefined : namespace,
    },
  };
}
