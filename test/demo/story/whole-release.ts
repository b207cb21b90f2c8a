import {
  BAD_EVERYWHERE,
  CANARY,
  DEPLOYMENT,
  FILES,
  GOOD,
  NAMESPACE,
  ROUTE,
  SETTINGS,
} from "../demo-layout.ts";
import { firstSince, newest } from "./eyes.ts";
import { type Chapter, compareTimeline, type Fact, factLine } from "./facts.ts";
import { showFile } from "./opening.ts";
import { followRecovery } from "./recovery.ts";
import { ask, whileWaiting } from "./rollback-by-hand.ts";
import { isComplete, runs, ship } from "./rollout.ts";
import { shareOf } from "./route.ts";
import { see, type StoryStage, type } from "./stage.ts";
import { readTraffic, type TrafficSecond } from "./traffic-log.ts";

const TIMEOUT_MS = 60_000;
/** The currency of the good settings and of the bad ones. */
const EUR = "EUR";
const USD = "USD";
/** The gateway sees a change of its route after a moment, and a second of the traffic is counted whole. */
const GATEWAY_MS = 2_000;

interface Scene {
  readonly stage: StoryStage;
  readonly report: (fact: Fact) => void;
}

/** Chapter three: a release in three parts, of which no error rate tells the worst, and one request for all of them. */
export async function rollbackOfWholeRelease(stage: StoryStage): Promise<Chapter> {
  const { screen, eyes } = stage;
  const facts: Fact[] = [];
  const report = (fact: Fact): void => {
    facts.push(fact);
    screen.line(factLine(fact, facts[0]?.at ?? fact.at));
  };
  const scene = { stage, report };
  const releasedAt = await shipCanary(scene);
  await changeSettings(scene);
  const release = await ship(stage, BAD_EVERYWHERE);
  report(release);
  await seeEverywhere(scene, release.at);

  await showFile(stage, FILES.undoRelease);
  const { name: request, askedAt } = await ask(stage, FILES.undoRelease);
  report({ name: "asked", at: askedAt, text: `RollbackRequest ${request}, by a person` });
  await whileWaiting(stage, request, async () => {
    await seeCanaryOut(scene, askedAt);
    await seeSettingsBack(scene, askedAt);
    const versions = { bad: BAD_EVERYWHERE, good: GOOD };
    await followRecovery({ stage, releasedAt, shippedAt: release.at, ...versions, request, report });
    seeClean(scene);
  });

  const { timeline } = newest(eyes.requests, request)?.status ?? {};
  return {
    title: `${BAD_EVERYWHERE.version}: canary, settings and Deployment, taken back by one RollbackRequest`,
    releasedAt,
    request,
    facts: facts.toSorted((a, b) => a.at - b.at),
    largestDifferenceMs: compareTimeline(facts, timeline, ["asked", "traffic", "complete", "verified"]),
  };
}

/** Resolves with the moment from which on requests are sent to it. */
async function shipCanary({ stage, report }: Scene): Promise<number> {
  await type(stage, ["apply", "-f", FILES.canary]);
  await see(
    stage,
    `Deployment/${CANARY} runs ${BAD_EVERYWHERE.version}`,
    () => {
      const canary = newest(stage.eyes.deployments, CANARY);
      return canary !== undefined && isComplete(canary) ? true : undefined;
    },
    { timeoutMs: TIMEOUT_MS },
  );
  const asked = Date.now();
  await type(stage, ["apply", "-f", FILES.canaryRoute]);
  const { at, object } = await see(
    stage,
    `HTTPRoute/${ROUTE} with a share for Service ${CANARY}`,
    () => firstSince(stage.eyes.routes, asked, (route) => shareOf(route, CANARY) > 0),
    { timeoutMs: TIMEOUT_MS },
  );
  const share = shareOf(object, CANARY);
  report({
    name: "canary",
    at,
    text: `${BAD_EVERYWHERE.version} gets ${share}% of the requests by HTTPRoute/${ROUTE}`,
  });
  await see(
    stage,
    `answers from Service ${CANARY}`,
    () => readTraffic(stage.demo.trafficLog).find((second) => (second.backends[CANARY] ?? 0) > 0),
    { timeoutMs: TIMEOUT_MS },
  );
  return at;
}

async function changeSettings({ stage, report }: Scene): Promise<void> {
  const asked = Date.now();
  const change = JSON.stringify({ data: { CURRENCY: USD } });
  await type(stage, ["patch", "configmap", SETTINGS, "-n", NAMESPACE, "--type=merge", "-p", change]);
  const { at } = await seeCurrency(stage, USD, asked);
  report({ name: "settings", at, text: `ConfigMap/${SETTINGS}: CURRENCY ${EUR} -> ${USD}` });
}

function seeCurrency(stage: StoryStage, currency: string, since: number) {
  return see(
    stage,
    `ConfigMap/${SETTINGS} with CURRENCY ${currency}`,
    () =>
      firstSince(
        stage.eyes.configMaps,
        since,
        ({ metadata, data }) => metadata.name === SETTINGS && data?.["CURRENCY"] === currency,
      ),
    { timeoutMs: TIMEOUT_MS },
  );
}

/** The rollout is over and the users have it: whole seconds in which every answer is a bad one. */
async function seeEverywhere({ stage, report }: Scene, shippedAt: number): Promise<void> {
  const { version } = BAD_EVERYWHERE;
  await see(
    stage,
    `all pods of Deployment/${DEPLOYMENT} run ${version}`,
    () =>
      firstSince(
        stage.eyes.deployments,
        shippedAt,
        (each) => each.metadata.name === DEPLOYMENT && runs(each, BAD_EVERYWHERE) && isComplete(each),
      ),
    { timeoutMs: TIMEOUT_MS },
  );
  const { at } = await see(
    stage,
    `every answer from ${version}, in ${USD}`,
    () =>
      readTraffic(stage.demo.trafficLog).find(
        (second) =>
          second.at > shippedAt && isOnly(second.versions, version) && isOnly(second.currencies, USD),
      ),
    { timeoutMs: TIMEOUT_MS },
  );
  report({ name: "seen", at, text: `every answer is from ${version}, its price in ${USD}` });
}

/** Requests leave the canary before its pods do. */
async function seeCanaryOut({ stage, report }: Scene, askedAt: number): Promise<void> {
  const moved = await see(
    stage,
    `traffic: HTTPRoute/${ROUTE} without a share for Service ${CANARY}`,
    () => firstSince(stage.eyes.routes, askedAt, (route) => shareOf(route, CANARY) === 0),
    { timeoutMs: TIMEOUT_MS },
  );
  const share = shareOf(moved.object, DEPLOYMENT);
  report({
    name: "traffic",
    at: moved.at,
    text: `HTTPRoute/${ROUTE}: ${share}% of the requests to Service ${DEPLOYMENT}, none to ${CANARY}`,
  });
  const scaled = await see(
    stage,
    `scaled: Deployment/${CANARY} with 0 replicas`,
    () =>
      firstSince(
        stage.eyes.deployments,
        askedAt,
        ({ metadata, spec }) => metadata.name === CANARY && spec.replicas === 0,
      ),
    { timeoutMs: TIMEOUT_MS, progress: () => "the canary's requests get to end" },
  );
  const last = readTraffic(stage.demo.trafficLog).findLast(({ backends }) => (backends[CANARY] ?? 0) > 0);
  if (last === undefined || last.at > moved.at + GATEWAY_MS) {
    throw new Error(`Service ${CANARY} still answered when HTTPRoute/${ROUTE} gave it no share any more`);
  }
  report({ name: "drained", at: last.at, text: "the canary's last answer came within this second" });
  report({ name: "scaled", at: scaled.at, text: `Deployment/${CANARY}: 0 replicas` });
  if (scaled.at < last.at) {
    throw new Error(`Deployment/${CANARY} lost its pods while it was still sent requests`);
  }
}

async function seeSettingsBack({ stage, report }: Scene, askedAt: number): Promise<void> {
  const { at } = await seeCurrency(stage, EUR, askedAt);
  report({ name: "restored", at, text: `ConfigMap/${SETTINGS}: CURRENCY ${USD} -> ${EUR}` });
}

/** Nothing of the release is left in any answer. */
function seeClean({ stage, report }: Scene): void {
  const traffic = readTraffic(stage.demo.trafficLog);
  const lastBad = traffic.findLast((second) => !isClean(second));
  const first = traffic.find(({ at }) => at > (lastBad?.at ?? 0));
  if (first === undefined) {
    throw new Error(`answers still are not all from ${GOOD.version}, in ${EUR}`);
  }
  report({
    name: "clean",
    at: first.at,
    text: `every answer is from ${GOOD.version}, its price in ${EUR}, by Service ${DEPLOYMENT}`,
  });
}

function isClean({ versions, currencies, backends }: TrafficSecond): boolean {
  return isOnly(versions, GOOD.version) && isOnly(currencies, EUR) && isOnly(backends, DEPLOYMENT);
}

/** Of all answers of a second, where there were any. */
function isOnly(answers: Readonly<Record<string, number>>, value: string): boolean {
  const seen = Object.keys(answers);
  return seen.length === 1 && seen[0] === value;
}
