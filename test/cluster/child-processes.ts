import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { identify, type ProcessIdentity, signalAll, stopProcesses, tailOf } from "./processes.ts";
import { findProgram } from "./run-command.ts";

/** Processes that live no longer than this one. */
export interface ChildProcesses {
  start(name: string, command: readonly string[]): void;
  /** To a running one. */
  signal(name: string, signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. It may be started again. */
  kill(name: string): Promise<void>;
  /** Rejects with the end of its log when one ends before `stop`; never resolves. */
  readonly failure: Promise<never>;
  pids(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

const GRACE_MS = 3000;

/** Output of each goes to `<logFolder>/<name>.log`. */
export function startChildren(logFolder: string): ChildProcesses {
  const running = new Map<string, ProcessIdentity>();
  const { promise: failure, reject } = Promise.withResolvers<never>();
  // Watched only while starting; a later failure shows in the test that needs the process.
  failure.catch(() => undefined);
  let stopping = false;
  /** Those whose end is a failure. */
  const wanted = new Set<string>();
  const identitiesOf = (name: string): readonly ProcessIdentity[] => {
    const identity = running.get(name);
    return identity === undefined ? [] : [identity];
  };
  const killAll = (): void => signalAll([...running.values()], "SIGKILL");
  process.once("exit", killAll);

  return {
    failure,
    start(name, command) {
      const log = join(logFolder, `${name}.log`);
      const output = openSync(log, "a");
      const [program = "", ...args] = endingWithParent(command);
      const child = spawn(program, args, { stdio: ["ignore", output, output] });
      closeSync(output);
      const identity = child.pid === undefined ? undefined : identify(child.pid);
      if (identity !== undefined) running.set(name, identity);
      wanted.add(name);
      child.once("error", (error) => reject(new Error(`${name} could not be started: ${error.message}`)));
      child.once("exit", (code, signal) => {
        if (!stopping && wanted.has(name))
          reject(
            new Error(`${name} ended (${signal ?? `exit code ${code}`}). Its last lines:\n${tailOf(log)}`),
          );
      });
      child.unref();
    },
    signal: (name, signal) => signalAll(identitiesOf(name), signal),
    async kill(name) {
      const killed = identitiesOf(name);
      wanted.delete(name);
      signalAll(killed, "SIGKILL");
      await stopProcesses(killed, 0);
      running.delete(name);
    },
    pids: () => Object.fromEntries([...running].map(([name, { pid }]) => [name, pid])),
    async stop() {
      stopping = true;
      await stopProcesses([...running.values()], GRACE_MS);
      process.off("exit", killAll);
    },
  };
}

/** The kernel kills the process when its parent dies, even by SIGKILL. */
function endingWithParent(command: readonly string[]): readonly string[] {
  const setpriv = findProgram("setpriv");
  return setpriv === undefined ? command : [setpriv, "--pdeathsig", "KILL", "--", ...command];
}
