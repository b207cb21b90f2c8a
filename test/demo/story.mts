/**
 * The demo's story, played inside the cluster's network namespace by main.mts: it ships releases as a user would,
 * watches with eyes of its own, and succeeds only if it saw everything.
 */
import { demoLayout, PROCESSES, readStage } from "./demo-layout.ts";
import { adminClient } from "./admin-client.ts";
import { kubectlFor } from "../support/kubectl.ts";
import { SYSTEM_NAMESPACE } from "./operator-pods.ts";
import { createServices, logOf, runningServices, stopServices } from "./services.ts";
import { automaticRollback } from "./story/automatic-rollback.ts";
import { showClosing } from "./story/closing.ts";
import { openEyes } from "./story/eyes.ts";
import { clearNamespace, shipFirstRelease, watchFirstRelease } from "./story/opening.ts";
import { rollbackByHand } from "./story/rollback-by-hand.ts";
import { createScreen, type Screen } from "./story/screen.ts";
import { type StoryStage, typed } from "./story/stage.ts";

const [name = "demo"] = process.argv.slice(2);
const demo = demoLayout(name);

async function play(screen: Screen, signal: AbortSignal): Promise<void> {
  const given = readStage(demo.stageFile);
  const { client } = adminClient(given, "demo");
  const kubectl = await kubectlFor(given.kubeconfigPath);
  if (runningServices(demo).length > 0) screen.waiting("ending the processes of an earlier run");
  await stopServices(demo);
  const services = await createServices(demo);
  let failed: Error | undefined;
  services.failure.catch((error: unknown) => (failed = error as Error));

  await clearNamespace(client, screen.waiting, signal);
  screen.waiting("starting Prometheus");
  const prometheusUrl = await services.startPrometheus(signal);
  screen.line(`Prometheus runs beside the cluster and scrapes every second. Logs: ${demo.dir}/*.log`);

  const eyes = openEyes(client, prometheusUrl, signal);
  const stage: StoryStage = { demo, kubectl, eyes, screen, signal, failure: () => failed };
  screen.heading("1. A good release");
  await shipFirstRelease(stage, services);
  await watchFirstRelease(stage);
  screen.heading("2. A bad release, and nobody awake");
  const automatic = await automaticRollback(stage);
  screen.heading("3. Another bad release, undone by a person");
  const byHand = await rollbackByHand(stage, automatic);
  await showClosing(stage, [automatic, byHand]);
}

function explainFailure(screen: Screen, error: unknown): void {
  screen.line();
  screen.line(`demo FAILED: ${error instanceof Error ? error.message : String(error)}`);
  screen.line(`logs: ${PROCESSES.map((process) => logOf(demo, process)).join(" ")}`);
  screen.line(`      ${typed({ demo }, ["logs", "-n", SYSTEM_NAMESPACE, "deployment/rollback-operator"])}`);
  const down = name === "demo" ? "make demo-down" : `node test/demo/main.mts down --name ${name}`;
  screen.line(`The cluster is still up: look around with ${demo.kubectl}; end it with ${down}`);
}

const screen = createScreen();
const ended = new AbortController();
const onSignal = (): void => ended.abort(new Error("interrupted"));
process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
try {
  await play(screen, ended.signal);
  process.exitCode = 0;
} catch (error) {
  explainFailure(screen, ended.signal.aborted ? ended.signal.reason : error);
  process.exitCode = 1;
}
// The watches are still open; Prometheus and the traffic go on by themselves.
process.exit();
