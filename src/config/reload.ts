import { isDeepStrictEqual } from "node:util";
import type { OperatorConfig } from "./schema.ts";

type Setting = keyof OperatorConfig;

/** Whether a change of a setting takes effect in a running process; every setting has its answer here. */
const RELOADABLE = {
  // The caches, the leases and the locks of a running process stand on these.
  namespace: false,
  watchNamespaces: false,
  gitOps: true,
  killSwitch: false,
  leaderElection: false,
  prometheus: true,
  executor: true,
  limits: true,
  stuckAfter: true,
  logLevel: true,
} satisfies Record<Setting, boolean>;

export interface Reload {
  /** What is in force afterwards: the new values of what can be changed, the old ones of everything else. */
  readonly config: OperatorConfig;
  /** Settings that took effect. */
  readonly changed: readonly Setting[];
  /** Settings that differ from what runs and need a restart. */
  readonly needRestart: readonly Setting[];
}

/** What a valid new file means for a process that runs with another configuration. Pure. */
export function planReload(running: OperatorConfig, file: OperatorConfig): Reload {
  const settings = Object.keys(RELOADABLE) as Setting[];
  const differing = settings.filter((setting) => !isDeepStrictEqual(running[setting], file[setting]));
  const needRestart = differing.filter((setting) => !RELOADABLE[setting]);
  const kept = Object.fromEntries(needRestart.map((setting) => [setting, running[setting]]));
  return {
    config: { ...file, ...kept },
    changed: differing.filter((setting) => RELOADABLE[setting]),
    needRestart,
  };
}
