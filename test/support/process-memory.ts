import { readFileSync } from "node:fs";
import { waitFor } from "../cluster/readiness.ts";

const KIB_PER_MIB = 1_024;

/** MiB of a process, as the kernel counts them: resident now, and at its highest. */
export interface ResidentMemory {
  readonly now: number;
  readonly peak: number;
}

/** From /proc/PID/status (VmRSS, VmHWM). Throws when the process is gone. */
export function residentMemory(pid: number): ResidentMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
  return { now: field("VmRSS") / KIB_PER_MIB, peak: field("VmHWM") / KIB_PER_MIB };
}

/** Of the clock that fields utime and stime of /proc/PID/stat are counted in: always 100 on Linux. */
const TICKS_PER_SECOND = 100;

/** Seconds of processor time since the start, in the kernel too. Throws when the process is gone. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // From the third field on: the second, the name, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** What `heapAfterGc` needs in the environment of the process: its inspector then takes a free port. */
export const INSPECTABLE = { NODE_OPTIONS: "--inspect-port=0" };

/**
 * MiB of JavaScript objects that are alive, after a full collection by the inspector. Opening the inspector itself takes
 * memory: look at the resident memory first.
 */
export async function heapAfterGc(operator: {
  readonly pid: number;
  readonly logPath: string;
}): Promise<number> {
  const inspector = await openInspector(operator);
  try {
    // The second frees what finalizers of the first let go.
    await inspector.call("HeapProfiler.collectGarbage");
    await inspector.call("HeapProfiler.collectGarbage");
    const expression = "process.memoryUsage().heapUsed";
    const { result } = (await inspector.call("Runtime.evaluate", { expression })) as {
      readonly result: { readonly value: number };
    };
    return result.value / KIB_PER_MIB / KIB_PER_MIB;
  } finally {
    inspector.close();
  }
}

async function openInspector({ pid, logPath }: { readonly pid: number; readonly logPath: string }) {
  process.kill(pid, "SIGUSR1");
  const url = () => /ws:\/\/127\.0\.0\.1:\d+\/\S+/.exec(readFileSync(logPath, "utf8"))?.[0];
  await waitFor(`an inspector's address in ${logPath}`, async () => url() !== undefined, {
    timeoutMs: 10_000,
  });
  const socket = new WebSocket(url() ?? "");
  const waiting = new Map<number, (result: unknown) => void>();
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`no inspector at ${url()}`)));
  });
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as { readonly id: number; readonly result: unknown };
    waiting.get(message.id)?.(message.result);
  });
  let id = 0;
  return {
    call(method: string, params: object = {}): Promise<unknown> {
      id += 1;
      const answered = new Promise((resolve) => waiting.set(id, resolve));
      socket.send(JSON.stringify({ id, method, params }));
      return answered;
    },
    close: () => socket.close(),
  };
}
