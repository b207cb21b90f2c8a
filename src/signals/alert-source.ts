import type { AlertQuery } from "../prometheus/alert-query.ts";
import type { Alerts } from "../prometheus/alerts.ts";
import type { SignalSource } from "./source.ts";

/** A signal that counts firing alerts. */
export function alertSource(query: AlertQuery, alerts: Alerts): SignalSource {
  return {
    unit: "count",
    read: (at, _subject, signal) => alerts.read(query, at, signal),
    async readPast(start, end, step, signal) {
      const past = await alerts.readPast(query, { start, end, step }, signal);
      return past.kind === "Failed" ? { kind: "Failed" } : { kind: "Read", parts: past.value };
    },
  };
}
