import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type DetachedProcesses, detachedProcess, startDetached } from "../cluster/detached.ts";
import { isAlive, stopProcesses } from "../cluster/processes.ts";
import { waitForUnless } from "../cluster/readiness.ts";
import { findProgram } from "../cluster/run-command.ts";
import {
  type DemoLayout,
  type DemoProcess,
  GATEWAY_PORT,
  NAMESPACE,
  PROCESSES,
  PROMETHEUS_PORT,
  readStage,
  REQUESTS_PER_SECOND,
  ROUTE,
} from "./demo-layout.ts";

const GRACE_MS = 10_000;

/** Runs what the demo needs beside the operator; it goes on after it. The processes live in the network of whoever calls. */
export interface Services {
  /** Resolves with its address, for whoever calls, once it answers. */
  startPrometheus(signal: AbortSignal): Promise<string>;
  /** Passes requests on as the HTTPRoute says, which must be there. Resolves with its address for the traffic. */
  startGateway(): Promise<string>;
  /** Sends requests to this address of the sample application, from its first answer on. */
  startTraffic(url: string): Promise<void>;
  /** Rejects when one of them ends, with the end of its log. */
  readonly failure: Promise<never>;
  /** Lets go of what must not outlive the story. */
  close(): void;
}

/** Forgets what an earlier run measured and logged, so that nothing of it is taken for this one's. */
export async function createServices(demo: DemoLayout): Promise<Services> {
  await mkdir(demo.dir, { recursive: true });
  const stale = [
    demo.prometheusData,
    demo.targetsFile,
    demo.sightingsFile,
    demo.trafficLog,
    ...PROCESSES.map((name) => logOf(demo, name)),
  ];
  await Promise.all(stale.map((path) => rm(path, { recursive: true, force: true })));
  const processes = startDetached(demo.dir);
  return {
    failure: processes.failure,
    startPrometheus: (signal) => startPrometheus(demo, processes, signal),
    close: () => undefined,
    async startGateway() {
      const script = resolve("test/demo/processes/gateway.mts");
      const { server } = readStage(demo.stageFile);
      const place = [NAMESPACE, ROUTE, "127.0.0.1", String(GATEWAY_PORT)];
      processes.start("gateway", [
        "env",
        `NODE_EXTRA_CA_CERTS=${demo.caFile}`,
        process.execPath,
        script,
        server,
        demo.tokenFile,
        ...place,
      ]);
      return `http://127.0.0.1:${GATEWAY_PORT}/`;
    },
    async startTraffic(url) {
      const script = resolve("test/demo/processes/traffic.mts");
      processes.start("traffic", [
        process.execPath,
        script,
        url,
        String(REQUESTS_PER_SECOND),
        demo.trafficLog,
      ]);
    },
  };
}

/** Of a Service's address. */
export function urlOf(clusterIp: string): string {
  return `http://${clusterIp.includes(":") ? `[${clusterIp}]` : clusterIp}/`;
}

/** Ends what an earlier run left, in the order in which nothing misses another. */
export async function stopServices(
  demo: DemoLayout,
  names: readonly DemoProcess[] = PROCESSES,
): Promise<void> {
  for (const name of names) {
    const running = detachedProcess(demo.dir, name);
    if (running === undefined) continue;
    await stopProcesses([running], GRACE_MS);
    await rm(join(demo.dir, `${name}.pid`), { force: true });
  }
}

export function logOf(demo: DemoLayout, name: DemoProcess): string {
  return join(demo.dir, `${name}.log`);
}

export function runningServices(demo: DemoLayout): readonly DemoProcess[] {
  return PROCESSES.filter((name) => {
    const identity = detachedProcess(demo.dir, name);
    return identity !== undefined && isAlive(identity);
  });
}

async function startPrometheus(
  demo: DemoLayout,
  processes: DetachedProcesses,
  signal: AbortSignal,
): Promise<string> {
  const program = findProgram("prometheus");
  if (program === undefined) throw new Error("prometheus is missing: apt-get install prometheus");
  await writeFile(demo.prometheusConfig, prometheusConfig(demo));
  processes.start("lister", [
    process.execPath,
    resolve("test/demo/processes/lister.mts"),
    demo.stageFile,
    demo.targetsFile,
  ]);
  processes.start("prometheus", [
    program,
    `--config.file=${demo.prometheusConfig}`,
    `--storage.tsdb.path=${demo.prometheusData}`,
    "--storage.tsdb.retention.time=6h",
    // All addresses: the operator's pods reach it through the bridge.
    `--web.listen-address=:${PROMETHEUS_PORT}`,
    // The default of 5 s is meant for scrape intervals of a quarter of a minute, not of a second.
    "--scrape.discovery-reload-interval=1s",
    "--log.level=warn",
  ]);
  const url = `http://127.0.0.1:${PROMETHEUS_PORT}`;
  await awaitAnswer(processes, "prometheus", `${url}/-/ready`, signal);
  return url;
}

function prometheusConfig(demo: DemoLayout): string {
  return `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: pods
    file_sd_configs: [{ files: ["${demo.targetsFile}"], refresh_interval: 1s }]
`;
}

async function awaitAnswer(
  { failure }: DetachedProcesses,
  what: string,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  const probe = async (): Promise<boolean> => {
    try {
      return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
    } catch {
      return false;
    }
  };
  await waitForUnless(failure, `${what} is ready`, probe, { timeoutMs: 30_000, signal });
}
