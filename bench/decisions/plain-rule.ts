import { openPolicy, type PastServer } from "../../src/backtest/open-policy.ts";
import { readPast } from "../../src/backtest/readings.ts";
import { verdictOf, type Row } from "../../src/decision/row.ts";
import { WHOLE, type Reading, type Sample } from "../../src/decision/sample.ts";
import type { Incident } from "./incident.ts";
import { policyOf } from "./policy.ts";

/**
 * What a plain rule would have done that knows a threshold and a `for` only, as alerting rules and canary tools do: it
 * asks for no traffic and for no cause, and rolls the live release back. Returns when (ms since the epoch), if at all.
 */
export async function plainRule(
  incident: Incident,
  server: PastServer,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { compiled, close } = openPolicy(policyOf(incident, 0), server, performanceClock);
  try {
    const rows = compiled.rows.filter(({ action }) => action === "Rollback");
    const stepMs = compiled.view.intervalMs;
    const range = { start: incident.from - 300_000, end: incident.to, stepMs };
    const subject = {
      namespace: incident.namespace,
      desiredReplicas: 1,
      live: undefined,
      rollbackTarget: undefined,
    };
    const fired: number[] = [];
    for (const row of rows) {
      const named = compiled.signals.find(({ name }) => name === row.signal);
      if (named === undefined) continue;
      const past = await readPast(named, range, subject, signal);
      if (past.kind === "Read") fired.push(firingInstant(row, past.at, range, incident.from));
    }
    const first = Math.min(...fired);
    return Number.isFinite(first) ? first : undefined;
  } finally {
    await close();
  }
}

export const performanceClock = { monotonic: () => performance.now() };

/** Infinity where it never fires. As a rule of Prometheus: one evaluation without a breach begins anew. */
function firingInstant(
  row: Row,
  at: (instant: number) => Reading,
  { start, end, stepMs }: { readonly start: number; readonly end: number; readonly stepMs: number },
  from: number,
): number {
  const since = new Map<string, number>();
  for (let now = start; now <= end; now += stepMs) {
    const reading = at(now);
    const parts: ReadonlyMap<string, Sample> =
      reading.kind === "Split" ? reading.parts : new Map([[WHOLE, reading]]);
    for (const part of since.keys()) if (!parts.has(part)) since.delete(part);
    for (const [part, sample] of parts) {
      if (verdictOf(row, sample) !== "Breach") {
        since.delete(part);
        continue;
      }
      const began = since.get(part) ?? now;
      since.set(part, began);
      if (now - began >= row.forMs && now >= from) return now;
    }
  }
  return Infinity;
}
