import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { Reading } from "../decision/sample.ts";
import type { PrometheusServers } from "../prometheus/servers.ts";

/** Signals as checks after a rollback measure them: single readings, without a policy's runtime. */
export function singleSamples(servers: PrometheusServers) {
  return {
    /** At an instant, ms since the epoch. A signal that cannot be asked is an Error sample. */
    async sample(signal: PolicySignal, namespace: string, at: number, abort: AbortSignal): Promise<Reading> {
      const { name, prometheus, alert } = signal;
      if (alert !== undefined) return servers.alertsOnce({ name, alert }, namespace, at, abort);
      return prometheus === undefined
        ? { kind: "Error", detail: `signal ${name} is not measured after a rollback` }
        : servers.sampleOnce({ ...signal, prometheus }, namespace, at, abort);
    },
    /** How far back a sample looks, ms. */
    lookbackMs(signal: PolicySignal): number {
      const { prometheus, alert } = signal;
      if (alert !== undefined) return servers.freshWithinMs(alert.server);
      return prometheus === undefined ? 0 : servers.lookbackMs({ ...signal, prometheus });
    },
  };
}
