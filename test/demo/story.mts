/**
 * The demo's story, played by main.mts where the cluster answers (inside the cluster's network namespace, or beside the
 * user's kubeconfig): it ships releases as a user would, watches with eyes of its own, and succeeds only if it saw
 * everything.
 *
 *   node story.mts NAME | --context CONTEXT
 */
import { contextLayout, demoLayout } from "./demo-layout.ts";
import { type Ground, openGround } from "./ground.ts";
import { SYSTEM_NAMESPACE } from "./operator-pods.ts";
import { automaticRollback } from "./story/automatic-rollback.ts";
import { showClosing } from "./story/closing.ts";
import { openEyes } from "./story/eyes.ts";
import { clearNamespace, shipFirstRelease, watchFirstRelease } from "./story/opening.ts";
import { rollbackByHand } from "./story/rollback-by-hand.ts";
import { createScreen, type Screen } from "./story/screen.ts";
import { type StoryStage, typed } from "./story/stage.ts";
import { rollbackOfWholeRelease } from "./story/whole-release.ts";

const [whom = "demo", context] = process.argv.slice(2);
const demo = context === undefined ? demoLayout(whom) : contextLayout(context);

async function play(ground: Ground, screen: Screen, signal: AbortSignal): Promise<void> {
  const { kubectl, client, services, hasRoutes } = ground;
  let failed: Error | undefined;
  services.failure.catch((error: unknown) => (failed = error as Error));
  await clearNamespace(client, screen.waiting, signal);
  screen.waiting("starting Prometheus");
  const prometheusUrl = await services.startPrometheus(signal);
  screen.line(`Prometheus runs and scrapes every second. Logs: ${demo.logs}`);

  const eyes = openEyes(client, prometheusUrl, hasRoutes, signal);
  const stage: StoryStage = { demo, kubectl, eyes, hasRoutes, screen, signal, failure: () => failed };
  screen.heading("1. A good release");
  await shipFirstRelease(stage, services);
  await watchFirstRelease(stage);
  screen.heading("2. A bad release, and nobody awake");
  const automatic = await automaticRollback(stage);
  screen.heading("3. Another bad release, undone by a person");
  const byHand = await rollbackByHand(stage, automatic);
  screen.heading("4. A release in three parts, and one request that takes all of them back");
  if (!hasRoutes) {
    screen.line(
      "  Left out: its canary needs the kind HTTPRoute of the Gateway API, which this cluster does not have.",
    );
  }
  const whole = hasRoutes ? [await rollbackOfWholeRelease(stage)] : [];
  await showClosing(stage, [automatic, byHand, ...whole]);
}

function explainFailure(screen: Screen, error: unknown): void {
  screen.line();
  screen.line(`demo FAILED: ${error instanceof Error ? error.message : String(error)}`);
  screen.line(`logs: ${demo.logs}`);
  screen.line(`      ${typed({ demo }, ["logs", "-n", SYSTEM_NAMESPACE, "deployment/rollback-operator"])}`);
  screen.line(`The cluster is still up: look around with ${demo.kubectl}; end it with ${demo.down}`);
}

const screen = createScreen();
const ended = new AbortController();
const onSignal = (): void => ended.abort(new Error("interrupted"));
process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
let ground: Ground | undefined;
try {
  ground = await openGround(demo, screen.waiting, ended.signal);
  await play(ground, screen, ended.signal);
  process.exitCode = 0;
} catch (error) {
  explainFailure(screen, ended.signal.aborted ? ended.signal.reason : error);
  process.exitCode = 1;
}
ground?.services.close();
// The watches are still open; Prometheus and the traffic go on by themselves.
process.exit();
