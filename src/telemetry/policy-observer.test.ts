import { describe, expect, it } from "@jest/globals";
import type { Logger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { policyObserver } from "./policy-observer.ts";

function observed() {
  const metrics = createMetrics();
  const lines: unknown[] = [];
  const log = { info: (fact: unknown) => lines.push(fact) } as unknown as Logger;
  return { observer: policyObserver(log, metrics), lines, text: async () => (await metrics.render()).text };
}

const DECISION = {
  policy: "shop/api",
  row: "critical",
  action: "Rollback",
  verdict: "Held",
  reason: "cool-down",
  request: undefined,
  detectionSeconds: undefined,
} as const;

describe("policyObserver", () => {
  it("counts samples by state", async () => {
    const { observer, text } = observed();
    observer.sampled("Value");
    observer.sampled("Value");
    observer.sampled("Error");
    expect(await text()).toContain('rollback_samples_total{state="Value"} 2');
    expect(await text()).toContain('rollback_samples_total{state="Error"} 1');
  });

  it("logs and counts decisions; the time to detect only where something was done", async () => {
    const { observer, text, lines } = observed();
    observer.decided(DECISION);
    expect(await text()).toContain("rollback_detection_seconds_count 0");
    observer.decided({ ...DECISION, verdict: "Rollback", request: "r1", detectionSeconds: 0.2 });
    expect(await text()).toContain('rollback_decisions_total{action="Rollback",verdict="Held"} 1');
    expect(await text()).toContain('rollback_decisions_total{action="Rollback",verdict="Rollback"} 1');
    expect(await text()).toContain("rollback_detection_seconds_count 1");
    expect(lines).toHaveLength(2);
  });

  it("has no label with an unbounded set of values", async () => {
    const { observer, text } = observed();
    observer.decided({ ...DECISION, policy: "shop/unbounded-name", row: "unbounded-row" });
    expect(await text()).not.toContain("unbounded");
  });
});
