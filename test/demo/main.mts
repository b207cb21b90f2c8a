/** The demo: `make demo` and `make demo-down`. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { down } from "../cluster/cluster.ts";
import { checkClusterName, enter } from "../cluster/cluster-layout.ts";
import { withLock } from "../cluster/lock.ts";
import { createProgress, type Progress } from "../cluster/progress.ts";
import { prepareContext } from "./context/setup.ts";
import { removeFromContext } from "./context/teardown.ts";
import { contextLayout, type DemoLayout, demoLayout } from "./demo-layout.ts";
import { prepareStage } from "./setup.ts";
import { takeDown } from "./teardown.ts";

const USAGE = `usage:
  node test/demo/main.mts up [--name NAME]      start a cluster (or reuse it) and play the story; it stays up
  node test/demo/main.mts down [--name NAME]    end the cluster and everything in it

With CLUSTER_CONTEXT=NAME in the environment the demo plays on the cluster of that context of your kubeconfig, and
"down" removes what the demo made there.
`;

/** Where a demo is played: what comes before the story, what ends it, and where its process runs. */
interface Venue {
  readonly demo: DemoLayout;
  readonly opening: string;
  readonly enter: readonly string[];
  prepare(progress: Progress, signal: AbortSignal): Promise<void>;
  /** Resolves with what to tell. */
  remove(progress: Progress, signal: AbortSignal): Promise<string>;
}

async function main([command, ...flags]: readonly string[]): Promise<number> {
  const nameAt = flags.indexOf("--name");
  const name = nameAt === -1 ? undefined : (flags[nameAt + 1] ?? "");
  const known = flags.length === (nameAt === -1 ? 0 : 2);
  if (!known || (command !== "up" && command !== "down")) {
    process.stderr.write(USAGE);
    return 2;
  }
  const context = process.env["CLUSTER_CONTEXT"] ?? "";
  if (context !== "" && name !== undefined) throw new Error("--name is for clusters of the demo's own");
  const venue = context === "" ? ownCluster(name ?? "demo") : contextOfUser(context);
  return command === "up" ? upCommand(venue) : downCommand(venue);
}

/** A cluster of this machine that the demo starts itself. */
function ownCluster(name: string): Venue {
  checkClusterName(name);
  const demo = demoLayout(name);
  return {
    demo,
    opening: "Setting up: a one-node Kubernetes of this machine's own, nothing outside it is touched.",
    // The API server, Prometheus and the pods answer only inside the cluster's network.
    enter: enter(name),
    prepare: (progress, signal) => prepareStage(demo, progress, signal),
    async remove(progress) {
      await takeDown(demo, () => down(name, { progress }));
      return `cluster ${name} is gone`;
    },
  };
}

/** A cluster of the user's own. */
function contextOfUser(context: string): Venue {
  const demo = { ...contextLayout(context), context };
  return {
    demo,
    opening: `Setting up on the cluster of context ${context}: only namespaces of the demo's own are touched.`,
    enter: [],
    prepare: (progress, signal) => prepareContext(demo, progress, signal),
    async remove(progress, signal) {
      const removed = await removeFromContext(demo, progress, signal);
      return removed.length === 0
        ? `the demo made nothing on the cluster of context ${context}`
        : `removed from the cluster of context ${context}:\n  ${removed.join("\n  ")}`;
    },
  };
}

async function upCommand(venue: Venue): Promise<number> {
  const progress = createProgress(process.stdout);
  const signal = interruption();
  progress.done(venue.opening);
  return locked(venue, progress, signal, async () => {
    await venue.prepare(progress, signal);
    return playStory(venue, signal);
  });
}

async function downCommand(venue: Venue): Promise<number> {
  const progress = createProgress(process.stdout);
  progress.done(await venue.remove(progress, interruption()));
  return 0;
}

function playStory({ demo, enter }: Venue, signal: AbortSignal): Promise<number> {
  const story = resolve("test/demo/story.mts");
  const whom = demo.context === undefined ? [demo.name] : ["--context", demo.context];
  const [program = "", ...args]: readonly string[] = [...enter, process.execPath, story, ...whom];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
    // Ctrl-C reaches it from the terminal too; a second signal does no harm.
    signal.addEventListener("abort", () => child.kill("SIGTERM"));
  });
}

function locked<T>(
  { demo }: Venue,
  progress: Progress,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const onWait = (): void => progress.done(`waiting: another demo is playing on cluster ${demo.name}`);
  return withLock(`demo/${demo.dir}`, onWait, work, signal);
}

function interruption(): AbortSignal {
  const interrupted = new AbortController();
  const onSignal = (): void => interrupted.abort(new Error("interrupted"));
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return interrupted.signal;
}

try {
  process.chdir(resolve(import.meta.dirname, "../.."));
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  process.stderr.write(`demo: ${name === "AbortError" ? "interrupted" : message}\n`);
  process.exitCode = 1;
}
