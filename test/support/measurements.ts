import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Cluster } from "../cluster/cluster.ts";
import type { Stage } from "../demo/demo-layout.ts";
import { startPrometheus } from "./prometheus.ts";

/** A Prometheus that scrapes the cluster's annotated pods, and steady traffic to one of its Services. */
export interface Measurements {
  /** As pods of the cluster reach it. */
  readonly prometheusUrl: string;
  stop(): Promise<void>;
}

const REQUESTS_PER_SECOND = 20;

/** Starts them inside the cluster's network; they end with `stop`, and with this process. */
export async function measure(cluster: Cluster, url: string): Promise<Measurements> {
  const { layout, server, caData, adminToken, kubeconfigPath } = cluster;
  const dir = join(layout.dir, "measurements");
  const targets = join(dir, "targets.json");
  const stageFile = join(dir, "stage.json");
  const stage: Stage = {
    name: layout.name,
    server,
    caData,
    adminToken,
    kubeconfigPath,
  };
  await mkdir(dir, { recursive: true });
  await writeFile(targets, "[]");
  await writeFile(stageFile, JSON.stringify(stage), { mode: 0o600 });
  const children = [
    run(layout.enter, ["test/demo/processes/lister.mts", stageFile, targets]),
    run(layout.enter, [
      "test/demo/processes/traffic.mts",
      url,
      String(REQUESTS_PER_SECOND),
      join(dir, "traffic.jsonl"),
    ]),
  ];
  const prometheus = await startPrometheus({
    dir,
    prefix: layout.enter,
    listen: `${layout.addresses.apiHost}:9090`,
    args: ["--scrape.discovery-reload-interval=1s"],
    configText: `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: pods
    file_sd_configs: [{ files: ["${targets}"], refresh_interval: 1s }]
`,
  });
  return {
    prometheusUrl: prometheus.url,
    async stop() {
      await Promise.all(children.map(end));
      await prometheus.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function run(prefix: readonly string[], [script = "", ...args]: readonly string[]): ChildProcess {
  // `nsenter` and `setpriv` become the program, so the child's id is the program's.
  const endingWithParent = ["setpriv", "--pdeathsig", "KILL", "--"];
  const [program = "", ...rest] = [
    ...prefix,
    ...endingWithParent,
    process.execPath,
    resolve(script),
    ...args,
  ];
  return spawn(program, rest, { stdio: ["ignore", "ignore", "inherit"] });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
