import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "../cluster/ports.ts";
import { identify, stopProcesses, tailOf } from "../cluster/processes.ts";
import { waitForUnless } from "../cluster/readiness.ts";
import { findProgram, runCommand, tryCommand } from "../cluster/run-command.ts";

export interface PrometheusOptions {
  /** prometheus.yml. Its rule files and file_sd files may be given relative to `dir`. */
  readonly configText: string;
  /** Its folder: configuration, data and log. A restart with the same folder keeps the data. */
  readonly dir: string;
  /** Put in front of the command, e.g. `enter("demo")` to run inside a cluster's network. */
  readonly prefix?: readonly string[];
  /** "host:port"; with port 0 a free one of this machine is taken (not with a prefix: that network is another one). */
  readonly listen: string;
  readonly args?: readonly string[];
  /** True: goes on after this process ends; only `stop` ends it. */
  readonly detached?: boolean;
  readonly signal?: AbortSignal;
}

export interface Prometheus {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const HOW_TO_GET = "apt-get install prometheus, or put a release of github.com/prometheus/prometheus on PATH";
const START_TIMEOUT_MS = 30_000;

/** Starts Prometheus and waits until it answers queries. Throws with the end of its log when it does not. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const program = requireProgram("prometheus");
  const { dir, prefix = [], args = [] } = options;
  await mkdir(dir, { recursive: true });
  const config = join(dir, "prometheus.yml");
  await writeFile(config, options.configText);
  const listen = await resolvePort(options.listen);
  const url = `http://${listen.replace(/^(0\.0\.0\.0|\[::\])?:/, "127.0.0.1:")}`;
  const command = [
    ...prefix,
    ...(options.detached === true ? [] : endingWithParent()),
    program,
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(dir, "data")}`,
    `--web.listen-address=${listen}`,
    "--web.enable-lifecycle",
    ...args,
  ];

  const log = join(dir, "prometheus.log");
  const output = openSync(log, "a");
  const [first = "", ...rest] = command;
  const child = spawn(first, rest, {
    cwd: dir,
    detached: options.detached === true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  child.unref();
  const { promise: failure, reject } = Promise.withResolvers<never>();
  failure.catch(() => undefined);
  child.once("error", (error) => reject(new Error(`prometheus could not be started: ${error.message}`)));
  child.once("exit", (code) =>
    reject(new Error(`prometheus ended (exit code ${code}). Its last lines:\n${tailOf(log)}`)),
  );

  const identity = child.pid === undefined ? undefined : identify(child.pid);
  // Five seconds to write its data out, then it is killed.
  const stop = async (): Promise<void> => stopProcesses(identity === undefined ? [] : [identity], 5000);
  const wait = { timeoutMs: START_TIMEOUT_MS, ...(options.signal && { signal: options.signal }) };
  try {
    await waitForUnless(failure, "prometheus is ready", () => isReady(url, prefix), wait);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pid: child.pid ?? 0, stop };
}

/** Runs promtool and returns what it wrote; throws with its complaint. */
export function promtool(args: readonly string[], cwd?: string): Promise<string> {
  return runCommand([requireProgram("promtool"), ...args], cwd === undefined ? {} : { cwd });
}

/** False: tests that need Prometheus are skipped, and say so. */
export function hasPrometheus(): boolean {
  return findProgram("prometheus") !== undefined;
}

function requireProgram(name: string): string {
  const found = findProgram(name);
  if (found === undefined) throw new Error(`${name} is not installed: ${HOW_TO_GET}`);
  return found;
}

async function resolvePort(listen: string): Promise<string> {
  if (!listen.endsWith(":0")) return listen;
  const [port] = await freePorts(1);
  return `${listen.slice(0, -1)}${port}`;
}

function endingWithParent(): readonly string[] {
  const setpriv = findProgram("setpriv");
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL", "--"];
}

async function isReady(url: string, prefix: readonly string[]): Promise<boolean> {
  const address = `${url}/-/ready`;
  if (prefix.length === 0) {
    return fetch(address, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    );
  }
  // From outside, that network cannot be reached: a Node of our own goes in.
  const script = "fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))";
  return (await tryCommand([...prefix, process.execPath, "-e", script, address], { timeoutMs: 5000 })).ok;
}
