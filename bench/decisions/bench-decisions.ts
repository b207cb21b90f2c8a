import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PastServer } from "../../src/backtest/open-policy.ts";
import { startPrometheus } from "../../test/support/prometheus.ts";
import { progress } from "../figures.ts";
import { writeBlocks } from "./blocks.ts";
import { evaluateIncident, type Outcome } from "./evaluate.ts";
import { planIncidents, type Incident } from "./incident.ts";
import { SCRAPE_SECONDS } from "./simulate.ts";
import { summarise } from "./summary.ts";

/** One asks while others think. */
const AT_ONCE = 4;

export interface DecisionsOptions {
  readonly seed: number;
  readonly scale: number;
  /** Only incidents whose name begins so. */
  readonly only?: string | undefined;
}

/**
 * Decisions on a corpus of labelled incidents: made by the code of production, on metrics that a real Prometheus holds.
 * Labels, see label.ts and classes/.
 */
export async function benchDecisions({
  seed,
  scale,
  only = "",
}: DecisionsOptions): Promise<readonly string[]> {
  const dir = await mkdtemp(join(tmpdir(), "rollback-decisions-"));
  try {
    const plans = planIncidents(seed, scale).filter(({ id }) => id.startsWith(only));
    const data = join(dir, "prometheus", "data");
    const { incidents, samples } = await writeBlocks(plans, data, join(dir, "work"), (done, all) =>
      progress(`decisions: seed ${seed}, ${plans.length} incidents, block set ${done} of ${all} written`),
    );
    const outcomes = await withPrometheus(join(dir, "prometheus"), (url) => evaluateAll(incidents, url));
    return [`decisions_corpus seed ${seed}, scale ${scale}, ${samples} samples`, ...summarise(outcomes)];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function withPrometheus<T>(dir: string, use: (url: string) => Promise<T>): Promise<T> {
  const prometheus = await startPrometheus({
    dir,
    listen: "127.0.0.1:0",
    configText: "global: {}\n",
    args: [
      "--storage.tsdb.retention.time=100y",
      // Blocks stay as they are: merging them is no part of what is measured.
      "--storage.tsdb.min-block-duration=2h",
      "--storage.tsdb.max-block-duration=2h",
    ],
  });
  try {
    return await use(prometheus.url);
  } finally {
    await prometheus.stop();
  }
}

async function evaluateAll(incidents: readonly Incident[], url: string): Promise<readonly Outcome[]> {
  const server: PastServer = {
    url,
    scrapeIntervalMs: SCRAPE_SECONDS * 1000,
    timeoutMs: 30_000,
    namespaceLabel: "namespace",
  };
  const { signal } = new AbortController();
  const outcomes: Outcome[] = [];
  const waiting = incidents.entries();
  const work = async (): Promise<void> => {
    for (const [index, incident] of waiting) {
      outcomes[index] = await evaluateIncident(incident, server, signal);
      if (outcomes.length % 100 === 0)
        progress(`decisions: ${outcomes.length} of ${incidents.length} decided`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}
