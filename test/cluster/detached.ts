import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { type ProcessIdentity, readPidFile, tailOf, writingPidFile } from "./processes.ts";

/** Starts processes that outlive this one; each leaves `<name>.pid` and `<name>.log` in the folder. */
export interface DetachedProcesses {
  start(name: string, command: readonly string[], path?: string): void;
  /** Rejects with the end of its log when one ends while we look; never resolves. */
  readonly failure: Promise<never>;
}

export function startDetached(folder: string): DetachedProcesses {
  const { promise: failure, reject } = Promise.withResolvers<never>();
  failure.catch(() => undefined);
  return {
    failure,
    start(name, command, path = process.env["PATH"]) {
      const log = join(folder, `${name}.log`);
      const output = openSync(log, "a");
      const [program = "", ...args] = writingPidFile(join(folder, `${name}.pid`), command);
      const child = spawn(program, args, {
        // A session of its own: Ctrl-C in the terminal ends us, not the cluster.
        detached: true,
        stdio: ["ignore", output, output],
        cwd: "/",
        env: { ...process.env, PATH: path },
      });
      closeSync(output);
      child.once("error", (error) => reject(new Error(`${name} could not be started: ${error.message}`)));
      child.once("exit", (code, signal) => {
        reject(
          new Error(`${name} ended (${signal ?? `exit code ${code}`}). Its last lines:\n${tailOf(log)}`),
        );
      });
      child.unref();
    },
  };
}

export function detachedProcess(folder: string, name: string): ProcessIdentity | undefined {
  return readPidFile(join(folder, `${name}.pid`));
}
