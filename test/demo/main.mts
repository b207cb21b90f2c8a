/** The demo: `make demo` and `make demo-down`. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { down } from "../cluster/cluster.ts";
import { checkClusterName, enter } from "../cluster/cluster-layout.ts";
import { withLock } from "../cluster/lock.ts";
import { createProgress } from "../cluster/progress.ts";
import { type DemoLayout, demoLayout } from "./demo-layout.ts";
import { prepareStage } from "./setup.ts";
import { takeDown } from "./teardown.ts";

const USAGE = `usage:
  node test/demo/main.mts up [--name NAME]      start a cluster (or reuse it) and play the story; it stays up
  node test/demo/main.mts down [--name NAME]    end the cluster and everything in it
`;

async function main([command, ...flags]: readonly string[]): Promise<number> {
  const nameAt = flags.indexOf("--name");
  const name = nameAt === -1 ? "demo" : (flags[nameAt + 1] ?? "");
  const known = flags.length === (nameAt === -1 ? 0 : 2);
  if (!known || (command !== "up" && command !== "down")) {
    process.stderr.write(USAGE);
    return 2;
  }
  checkClusterName(name);
  const demo = demoLayout(name);
  return command === "up" ? upCommand(demo) : downCommand(demo);
}

async function upCommand(demo: DemoLayout): Promise<number> {
  if ((process.env["CLUSTER_CONTEXT"] ?? "") !== "") {
    throw new Error(
      "CLUSTER_CONTEXT is set, but this demo runs only on the cluster that it starts itself: unset it",
    );
  }
  const progress = createProgress(process.stdout);
  const interrupted = new AbortController();
  const onSignal = (): void => interrupted.abort(new Error("interrupted"));
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  progress.done("Setting up: a one-node Kubernetes of this machine's own, nothing outside it is touched.");
  const onWait = (): void => progress.done(`waiting: another demo is playing on cluster ${demo.name}`);
  const play = async (): Promise<number> => {
    await prepareStage(demo, progress, interrupted.signal);
    return playInside(demo, interrupted.signal);
  };
  return withLock(`demo/${demo.dir}`, onWait, play, interrupted.signal);
}

/** The API server, Prometheus and the pods answer only inside the cluster's network: the story goes there. */
function playInside(demo: DemoLayout, signal: AbortSignal): Promise<number> {
  const story = resolve("test/demo/story.mts");
  const [program = "", ...args]: readonly string[] = [
    ...enter(demo.name),
    process.execPath,
    story,
    demo.name,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
    // Ctrl-C reaches it from the terminal too; a second signal does no harm.
    signal.addEventListener("abort", () => child.kill("SIGTERM"));
  });
}

async function downCommand(demo: DemoLayout): Promise<number> {
  const progress = createProgress(process.stdout);
  await takeDown(demo, () => down(demo.name, { progress }));
  progress.done(`cluster ${demo.name} is gone`);
  return 0;
}

try {
  process.chdir(resolve(import.meta.dirname, "../.."));
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  process.stderr.write(`demo: ${name === "AbortError" ? "interrupted" : message}\n`);
  process.exitCode = 1;
}
