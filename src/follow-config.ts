import type { LiveConfig } from "./config/live.ts";
import { planReload } from "./config/reload.ts";
import { watchConfig } from "./config/watch.ts";
import type { Clock } from "./kube/clock.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Metrics } from "./telemetry/metrics.ts";

interface ConfigFollower {
  /** Without a file there is nothing to follow. */
  readonly path: string | undefined;
  readonly live: LiveConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Takes every valid change of the file into force, and says what it cannot take. Runs in a standby too. */
export async function followConfig(follower: ConfigFollower, signal: AbortSignal): Promise<void> {
  const { path, live, clock, log, metrics } = follower;
  if (path === undefined) return;
  await watchConfig(
    {
      path,
      clock,
      onFile(file) {
        const { config, changed, needRestart } = planReload(live.current, file);
        metrics.configLoaded({ atMs: clock.now(), needRestart });
        if (changed.length > 0) {
          // First, so that a change to a quieter level is still told.
          log.info({ path, changed }, "configuration reloaded");
          live.replace(config);
        }
        for (const setting of needRestart) {
          log.warn({ path, setting }, "the change needs a restart, the old value is kept");
        }
      },
      onProblem({ problems }) {
        metrics.configRefused();
        for (const problem of problems) {
          log.error({ path, problem }, "configuration refused, the old one is kept");
        }
      },
    },
    signal,
  );
}
