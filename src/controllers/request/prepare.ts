import { isDeepStrictEqual } from "node:util";
import { addFinalizer } from "../../kube/finalizers.ts";
import { objectKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { bindAutomatic } from "../ledger/automatic.ts";
import { recordExecuted } from "../ledger/changes.ts";
import { recordAnnouncedHolds } from "./hold.ts";
import { announcedHolds } from "./holds.ts";
import { openStep } from "./journal.ts";
import { changeLedgers, ledgerTargets, readLedgers, targetsOf } from "./ledgers.ts";
import { FINALIZER } from "./phase.ts";
import type { RequestPorts } from "./ports.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import { writeRunning, type ResolvedSituation } from "./running.ts";
import type { Decision } from "./decision.ts";
import type { Situation } from "./situation.ts";
import { announcedFacts, beganStep, runningStatus, stepFacts, type Activity } from "./status.ts";
import { recordTemporary } from "./temporary.ts";
import { planSentence, stepPrefix, stepSentence } from "./wording.ts";

/** Takes the locks of all targets. A plan that was made on older ledgers than those under the lock is dropped. */
export async function takeLock(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { namespace = "", name, uid } = situation.request.metadata;
  const { resolution } = situation;
  const lock = await ports.locks.takeAll(
    targetsOf(resolution),
    { namespace, name, uid },
    ports.clock.now(),
    signal,
  );
  if (lock.kind === "Busy") return { ...situation, lock };
  // Whoever had a lock before us may have recorded a rollback since we looked: then our plan would undo it.
  const ledgers = await readLedgers(ports, ledgerTargets(resolution), new Map(), signal);
  return isDeepStrictEqual(ledgers, situation.ledgers)
    ? { ...situation, lock }
    : { ...situation, lock, ledgers, plan: undefined };
}

/**
 * Writes down what is about to happen before it happens. The status write, with its resourceVersion, is the fence
 * between two leaders: the one that loses it stops.
 */
export async function announce(
  ports: RequestPorts,
  situation: ResolvedSituation,
  { plan, approved }: Extract<Decision, { kind: "Announce" }>,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution, automatic } = situation;
  const now = ports.clock.now();
  const { name, uid } = request.metadata;
  const entry = {
    name,
    uid,
    specDigest: resolution.specDigest,
    at: new Date(now).toISOString(),
    outcome: "Started",
  } as const;
  // Every target remembers it: any of the ledgers may be lost, and a request that is made again must be known.
  const [finalized, ledgers] = await Promise.all([
    withFinalizer(ports, request, signal),
    changeLedgers(
      ports,
      situation,
      (before) => bindAutomatic(recordExecuted(before, entry), automatic, uid),
      signal,
    ),
  ]);
  const first = plan.steps.findIndex(({ nothingToDo }) => nothingToDo === undefined);
  const step = plan.steps[first];
  const known = { ...situation, ledgers };
  const at = new Date(now).toISOString();
  // With the finalizer, so that what is written down here cannot be left behind by a deletion.
  const recorded = step === undefined ? ledgers : await recordTemporary(ports, known, first, step, signal);
  const holds = announcedHolds(plan, at);
  const complete = await recordAnnouncedHolds(ports, { ...known, ledgers: recorded }, holds, signal);
  const activity: Activity = {
    phase: "Applying",
    reason: "Applying",
    message: `rolling back ${planSentence(plan)}`,
    approved,
  };
  const status = runningStatus(finalized, announcedFacts(situation, now), activity, now);
  const announced = await writeStatus(ports.client, ROLLBACK_REQUESTS, finalized, status, { signal });
  return { ...situation, request: announced, ledgers: complete };
}

/** Announces a later step, with its plan as it was made again: numbers in it may be newer. */
export async function beginStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  planned: PlannedStep,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index } = openStep(request);
  const at = new Date(ports.clock.now()).toISOString();
  const plan = request.status?.plan;
  const facts = {
    ...stepFacts(request, index, beganStep(planned, at)),
    ...(plan === undefined ? {} : { plan: { ...plan, steps: plan.steps.with(index, planned) } }),
  };
  const message = `${stepPrefix(request, index)}${stepSentence(planned)}`;
  const ledgers = await recordTemporary(ports, situation, index, planned, signal);
  return writeRunning(
    ports,
    { ...situation, ledgers },
    facts,
    { phase: "Applying", reason: "Applying", message },
    signal,
  );
}

async function withFinalizer(ports: RequestPorts, request: RollbackRequest, signal: AbortSignal) {
  const patch = addFinalizer(request, FINALIZER);
  return patch === undefined
    ? request
    : ports.client.patch(ROLLBACK_REQUESTS, objectKey(request), patch, { signal });
}
