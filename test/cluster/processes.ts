import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Which process a pid meant when it was written down. The kernel gives pids again, so a pid alone says nothing:
 * `startTicks` is field 22 of /proc/PID/stat (clock ticks after boot), `bootId` tells one boot from the next.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
}

/** The identity of a running process; undefined when there is none (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const [state = "", startTicks] = [statField(pid, 3), statField(pid, 22)];
    if (startTicks === undefined || state === "Z" || state === "X") return undefined;
    return { pid, startTicks, bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() };
  } catch {
    return undefined;
  }
}

export function parentPid(pid: number): number | undefined {
  try {
    return Number(statField(pid, 4));
  } catch {
    return undefined;
  }
}

/** A field of /proc/PID/stat, counted from 1 as in proc_pid_stat(5); only those after the program's name. */
function statField(pid: number, field: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the name in parentheses, and may itself hold spaces and parentheses.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[field - 3];
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Reads "PID START_TICKS BOOT_ID" as written by `writingPidFile`; undefined when missing or unreadable. */
export function readPidFile(path: string): ProcessIdentity | undefined {
  try {
    const [pid, startTicks, bootId] = readFileSync(path, "utf8").trim().split(" ");
    if (!/^[1-9]\d*$/.test(pid ?? "") || startTicks === undefined || bootId === undefined) return undefined;
    return { pid: Number(pid), startTicks, bootId };
  } catch {
    return undefined;
  }
}

export function formatIdentity({ pid, startTicks, bootId }: ProcessIdentity): string {
  return `${pid} ${startTicks} ${bootId}\n`;
}

/**
 * Wraps a command so that the process writes its own pid file before it becomes the program. The starter may be
 * killed at any moment: a pid file written by the starter would leave a gap in which the process has none.
 */
export function writingPidFile(pidFile: string, command: readonly string[]): readonly string[] {
  // When the folder is gone, so is the cluster: the process must not start after it.
  const script = `set -e
start_ticks() { shift 19; echo "$1"; }
stat=$(cat /proc/$$/stat)
echo "$$ $(start_ticks \${stat##*) }) $(cat /proc/sys/kernel/random/boot_id)" >"$PID_FILE.new"
mv "$PID_FILE.new" "$PID_FILE"
unset PID_FILE
exec "$@"`;
  return ["env", `PID_FILE=${pidFile}`, "sh", "-c", script, "sh", ...command];
}

/** Ends processes: SIGTERM, then SIGKILL for those still there after `graceMs`. Resolves when all are gone. */
export async function stopProcesses(processes: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  signalAll(processes, "SIGTERM");
  if (await allGone(processes, graceMs)) return;
  signalAll(processes, "SIGKILL");
  if (await allGone(processes, 10_000)) return;
  const left = processes.filter(isAlive).map(({ pid }) => pid);
  throw new Error(`processes ${left.join(", ")} did not end within 10 s of SIGKILL`);
}

export function signalAll(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  for (const identity of processes.filter(isAlive)) {
    try {
      process.kill(identity.pid, signal);
    } catch {
      // It ended by itself between the look and the signal.
    }
  }
}

async function allGone(processes: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (processes.some(isAlive)) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** The last lines of a log file, indented, for error messages. */
export function tailOf(path: string, lines = 15): string {
  try {
    const text = readFileSync(path, "utf8").trimEnd();
    return text
      .split("\n")
      .slice(-lines)
      .map((line) => `    ${line.slice(0, 500)}`)
      .join("\n");
  } catch {
    return "    (no log)";
  }
}
