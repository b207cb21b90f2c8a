import type { PolicyObserver } from "../controllers/policy/ports.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Logs and counts what policies decide. */
export function policyObserver(log: Logger, metrics: Metrics): PolicyObserver {
  return {
    sampled: metrics.sample,
    decided(fact) {
      metrics.decision({ action: fact.action, verdict: fact.verdict });
      if (fact.detectionSeconds !== undefined) metrics.detection(fact.detectionSeconds);
      log.info(fact, "decided");
    },
  };
}
