import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { waitForUnless } from "../../cluster/readiness.ts";
import type { Kubectl } from "../../support/kubectl.ts";
import { type DemoLayout, REQUESTS_PER_SECOND, TOOLS_NAMESPACE } from "../demo-layout.ts";
import { type Overlay, writeOverlay } from "../overlay.ts";
import { type Services, urlOf } from "../services.ts";
import { contextCommand } from "./access.ts";

const TRAFFIC = "test/demo/context/manifests/traffic.yaml";
const GATEWAY = "test/demo/context/manifests/gateway.yaml";
const IN_TOOLS = ["-n", TOOLS_NAMESPACE] as const;

/** Prometheus and traffic as pods of the user's cluster; the story reads both through the API server. */
export async function createContextServices(
  demo: DemoLayout,
  kubectl: Kubectl,
  signal: AbortSignal,
): Promise<Services> {
  await mkdir(demo.dir, { recursive: true });
  await Promise.all([demo.trafficLog, demo.sightingsFile].map((path) => rm(path, { force: true })));
  const stale = ["traffic", "gateway"];
  await kubectl(["delete", "deployment", ...stale, ...IN_TOOLS, "--ignore-not-found", "--timeout=60s"]);
  const command = await contextCommand(demo.context ?? "");
  const children: ChildProcess[] = [];
  const { promise: failure, reject } = Promise.withResolvers<never>();
  failure.catch(() => undefined);

  /** kubectl as a process that lasts as long as the story. */
  function follow(args: readonly string[]): ChildProcess & { readonly stdout: NodeJS.ReadableStream } {
    const [program = "", ...all] = [...command, ...args];
    const child = spawn(program, all, { stdio: ["ignore", "pipe", "pipe"] });
    let complaint = "";
    child.stderr
      .setEncoding("utf8")
      .on("data", (text: string) => (complaint = `${complaint}${text}`.slice(-500)));
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`kubectl ${args.join(" ")} ended (${code}): ${complaint.trim()}`)),
    );
    children.push(child);
    return child;
  }

  return {
    failure,
    close() {
      for (const child of children) child.kill("SIGTERM");
    },
    async startPrometheus() {
      // A fresh one: nothing that an earlier run measured may be taken for this one's.
      await kubectl(["rollout", "restart", ...IN_TOOLS, "deployment/prometheus"]);
      await kubectl(["rollout", "status", ...IN_TOOLS, "deployment/prometheus", "--timeout=120s"]);
      const forward = follow(["port-forward", ...IN_TOOLS, "service/prometheus", ":9090"]);
      const url = await Promise.race([forwardedUrl(forward), failure]);
      await waitForUnless(failure, "Prometheus answers", () => answers(`${url}/-/ready`), {
        timeoutMs: 30_000,
        signal,
      });
      return url;
    },
    async startGateway() {
      await kubectl(["apply", "-f", GATEWAY]);
      await kubectl(["rollout", "status", ...IN_TOOLS, "deployment/gateway", "--timeout=60s"]);
      const service = ["get", "service", "gateway", ...IN_TOOLS, "-o", "jsonpath={.spec.clusterIP}"];
      return urlOf(await kubectl(service));
    },
    async startTraffic(url) {
      const overlay = await writeOverlay(join(demo.dir, "traffic"), trafficOverlay(url));
      await kubectl(["apply", "-k", overlay]);
      await kubectl(["rollout", "status", ...IN_TOOLS, "deployment/traffic", "--timeout=60s"]);
      follow(["logs", "-f", ...IN_TOOLS, "deployment/traffic"]).stdout.pipe(
        createWriteStream(demo.trafficLog),
      );
    },
  };
}

function trafficOverlay(url: string): Overlay {
  const args = ["/app/traffic.mts", url, String(REQUESTS_PER_SECOND), "-"];
  const path = "/spec/template/spec/containers/0/args";
  return {
    resources: [TRAFFIC],
    patches: [{ kind: "Deployment", name: "traffic", operations: [{ op: "replace", path, value: args }] }],
  };
}

/** The local address that `kubectl port-forward` chose, from its first line. */
async function forwardedUrl(child: { readonly stdout: NodeJS.ReadableStream }): Promise<string> {
  let output = "";
  for (;;) {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer | string];
    output += String(chunk);
    const port = /127\.0\.0\.1:(\d+)/.exec(output)?.[1];
    if (port !== undefined) {
      child.stdout.resume();
      return `http://127.0.0.1:${port}`;
    }
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}
