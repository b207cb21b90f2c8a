import type { RequestObserver } from "../controllers/request/ports.ts";
import type { Clock } from "../kube/clock.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Logs and counts what requests do: one line an act, one history line an end. */
export function requestObserver(log: Logger, metrics: Metrics, clock: Pick<Clock, "now">): RequestObserver {
  return {
    acted(fact) {
      log.info(fact, "target changed");
    },
    finished(fact) {
      const { trigger, result, recoverySeconds, steps } = fact;
      metrics.requestFinished({ trigger, result });
      for (const { action, state, seconds } of steps) {
        if (seconds !== undefined) metrics.stepFinished({ action, result: state, seconds });
      }
      if (recoverySeconds !== undefined) metrics.recovery(recoverySeconds);
      log.info(fact, "request finished");
      for (const step of steps.filter(({ state }) => state === "Succeeded")) {
        log.info({ history: historyLine({ ...step, why: fact.why }, clock.now()) }, "history");
      }
    },
  };
}

/** `2026-11-22T10:30:00Z | ROLLBACK | shop/web | v2 -> v1 | reason`: the line that the runbook wrote. */
function historyLine(
  fact: { readonly object: string; readonly from: string; readonly to: string; readonly why: string },
  now: number,
): string {
  const at = new Date(now).toISOString().replace(/\.\d{3}Z$/, "Z");
  return [at, "ROLLBACK", fact.object, `${fact.from} -> ${fact.to}`, fact.why].join(" | ");
}
