import { spawnSync } from "node:child_process";

/**
 * What this machine lacks to run Argo CD, one line each; empty when it can. In a process of its own, since jest must know
 * what to skip when the file is loaded, and the look is asynchronous. `program`: only its program is needed.
 */
export function lacksOfArgoCd(needed: "lab" | "program" = "lab"): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["test/support/argo-cd-probe.mts", needed], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trimEnd() : `  - the probe failed: ${stderr.trim()}`;
}

/** Says why a suite is skipped. Not by the console: of a file that is skipped as a whole, jest does not show it. */
export function tellSkipped(what: string, lacks: string): void {
  if (lacks !== "") process.stderr.write(`${what}:\n${lacks}\n`);
}
