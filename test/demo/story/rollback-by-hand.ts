import { parseDuration } from "../../../src/crds/duration.ts";
import type { RollbackRequest } from "../../../src/kube/rollback-kinds.ts";
import { BAD_AGAIN, DEPLOYMENT, FILES, GOOD, NAMESPACE, POLICY } from "../demo-layout.ts";
import { breachProgress, seeBreach } from "./automatic-rollback.ts";
import { newest } from "./eyes.ts";
import { type Chapter, compareTimeline, type Fact, factLine } from "./facts.ts";
import { showFile } from "./opening.ts";
import { followRecovery } from "./recovery.ts";
import { ship } from "./rollout.ts";
import { clock } from "./screen.ts";
import { see, type StoryStage, type, typed } from "./stage.ts";

const TIMEOUT_MS = 90_000;

/** Chapter two: the next release is bad as well, the cool-down holds the operator back, a person decides. */
export async function rollbackByHand(stage: StoryStage, automatic: Chapter): Promise<Chapter> {
  const { screen } = stage;
  const release = await ship(stage, BAD_AGAIN);
  const releasedAt = release.at;
  const facts: Fact[] = [];
  const report = (fact: Fact): void => {
    facts.push(fact);
    screen.line(factLine(fact, releasedAt));
  };
  report(release);
  const breach = await seeBreach(stage, releasedAt);
  report(breach);
  report(await seeHeld(stage, automatic, breach.at));

  await showHistory(stage);
  await showFile(stage, FILES.undo);
  const { name, askedAt } = await ask(stage, FILES.undo);
  report({ name: "asked", at: askedAt, text: `RollbackRequest ${name}, by a person` });
  await whileWaiting(stage, name, () =>
    followRecovery({ stage, releasedAt, bad: BAD_AGAIN, good: GOOD, request: name, report }),
  );

  const timeline = newest(stage.eyes.requests, name)?.status?.timeline;
  const names = ["asked", "patched", "complete", "verified"] as const;
  return {
    title: `${BAD_AGAIN.version}: undone by a person's RollbackRequest`,
    releasedAt,
    request: name,
    facts: facts.toSorted((a, b) => a.at - b.at),
    largestDifferenceMs: compareTimeline(facts, timeline, names),
  };
}

/** `kubectl wait` for a request, as a person would; throws when that does not end well. */
export async function whileWaiting(stage: StoryStage, name: string, see: () => Promise<void>): Promise<void> {
  const wait = ["wait", "--for=condition=Ready", `rbr/${name}`, "-n", NAMESPACE, "--timeout=2m"];
  stage.screen.command(typed(stage, wait));
  const waited = stage.kubectl.attempt(wait);
  await see();
  const { code, stdout, stderr } = await waited;
  if (code !== 0) throw new Error(`kubectl wait failed: ${stderr.trim()}`);
  stage.screen.line(`    ${stdout.trim()}`);
}

/** The policy's own word that it does not act, and until when; and nothing was made. */
async function seeHeld(stage: StoryStage, automatic: Chapter, breachAt: number): Promise<Fact> {
  const { eyes } = stage;
  const decided = newest(eyes.requests, automatic.request)?.status?.timeline?.decided ?? "";
  const cooldown = newest(eyes.policies, POLICY)?.spec.guards.cooldown ?? "";
  const allowedFrom = clock(Date.parse(decided) + parseDuration(cooldown));
  const { at } = await see(
    stage,
    `held: lastDecision of RollbackPolicy ${POLICY} is Held until ${allowedFrom} by the cool-down`,
    () =>
      eyes.policies.find(({ at, object }) => {
        const last = object.status?.lastDecision;
        return at >= breachAt && last?.verdict === "Held" && last.reason.includes(allowedFrom);
      }),
    { timeoutMs: TIMEOUT_MS, progress: () => breachProgress(stage, breachAt) },
  );
  const others = new Set(eyes.requests.map(({ object }) => object.metadata.name));
  if (others.size !== 1) throw new Error(`${others.size} RollbackRequests are there, one was expected`);
  return {
    name: "held",
    at,
    text: `no automatic rollback before ${allowedFrom} UTC (cool-down ${cooldown}); a person may`,
  };
}

/** Which number the good version has now: the rollback gave it a new one. */
async function showHistory(stage: StoryStage): Promise<void> {
  const history = ["rollout", "history", `deployment/${DEPLOYMENT}`, "-n", NAMESPACE];
  await type(stage, history);
  const revision = await revisionOfFile(stage);
  const args = [...history, `--revision=${revision}`];
  const template = await stage.kubectl(args);
  const image = /Image:\s*(\S+)/.exec(template)?.[1] ?? "";
  stage.screen.command(`${typed(stage, args)} | grep Image`, `Image: ${image}`);
  if (image !== GOOD.image) {
    throw new Error(`${FILES.undo} names revision ${revision}, which runs ${image} and not ${GOOD.image}`);
  }
}

async function revisionOfFile(stage: StoryStage): Promise<number> {
  const text = await stage.kubectl(["create", "--dry-run=client", "-f", FILES.undo, "-o", "json"]);
  const { spec } = JSON.parse(text) as RollbackRequest;
  return spec.steps?.[0]?.workload?.to.revision ?? 0;
}

export async function ask(
  stage: StoryStage,
  file: string,
): Promise<{ readonly name: string; readonly askedAt: number }> {
  const before = Date.now();
  await type(stage, ["apply", "-f", file]);
  const { at, object } = await see(
    stage,
    "asked: the RollbackRequest of a person",
    () =>
      stage.eyes.requests.find(
        ({ at, object }) => at >= before && object.spec.reason !== "" && isNew(object, before),
      ),
    { timeoutMs: TIMEOUT_MS },
  );
  return { name: object.metadata.name, askedAt: at };
}

/** Creation times have whole seconds. */
function isNew({ metadata }: RollbackRequest, since: number): boolean {
  return Date.parse(metadata.creationTimestamp) >= since - 1000;
}
