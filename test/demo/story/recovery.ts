import type { RollbackRequest } from "../../../src/kube/rollback-kinds.ts";
import { DEPLOYMENT, type Release } from "../demo-layout.ts";
import { firstSince, newest, type Sighting } from "./eyes.ts";
import type { Fact } from "./facts.ts";
import { isComplete, runs } from "./rollout.ts";
import { see, type StoryStage } from "./stage.ts";
import { badTimes, readTraffic, sumTraffic, type TrafficSum } from "./traffic-log.ts";

const TIMEOUT_MS = 90_000;
/** Seconds without a failed request after which the service counts as healthy. */
const QUIET_MS = 3000;

export interface Recovery {
  readonly stage: StoryStage;
  readonly releasedAt: number;
  /** When the bad version came into the Deployment, where other parts of the release came before. */
  readonly shippedAt?: number;
  readonly bad: Release;
  readonly good: Release;
  readonly request: string;
  readonly report: (fact: Fact) => void;
}

/** Follows a rollback from the request to its proof. Every fact is seen at the cluster, at Prometheus or by the traffic. */
export async function followRecovery(recovery: Recovery): Promise<void> {
  const patched = await seePatch(recovery);
  await seeFirstPod(recovery, patched.at);
  await seeComplete(recovery, patched.at);
  const healthyAt = await seeHealthy(recovery);
  await seeVerified(recovery);
  const later = badTimes(readTraffic(recovery.stage.demo.trafficLog), healthyAt);
  if (later.length > 0) {
    throw new Error(`${later.length} requests failed after the service was healthy again`);
  }
}

async function seePatch({
  stage,
  releasedAt,
  shippedAt = releasedAt,
  bad,
  good,
  request,
  report,
}: Recovery): Promise<Sighting<unknown>> {
  const seen = await see(
    stage,
    `patched: Deployment/${DEPLOYMENT} with ${good.image} again`,
    () => firstSince(stage.eyes.deployments, shippedAt, (deployment) => runs(deployment, good)),
    { timeoutMs: TIMEOUT_MS },
  );
  report({
    name: "patched",
    at: seen.at,
    text: `Deployment/${DEPLOYMENT}: ${bad.version} -> ${good.version}, by RollbackRequest ${request}`,
  });
  return seen;
}

async function seeFirstPod({ stage, good, report }: Recovery, patchedAt: number): Promise<void> {
  const { replicaSets } = stage.eyes;
  const { at } = await see(
    stage,
    `first pod of ${good.version}`,
    () =>
      firstSince(replicaSets, patchedAt, (set) => runs(set, good) && (set.status?.readyReplicas ?? 0) > 0),
    { timeoutMs: TIMEOUT_MS },
  );
  report({ name: "first pod", at, text: `a pod of ${good.version} is ready` });
}

async function seeComplete({ stage, good, report }: Recovery, patchedAt: number): Promise<void> {
  const { deployments } = stage.eyes;
  const { at, object } = await see(
    stage,
    `old version ready: all pods of Deployment/${DEPLOYMENT} run ${good.version}`,
    () => firstSince(deployments, patchedAt, (each) => runs(each, good) && isComplete(each)),
    { timeoutMs: TIMEOUT_MS, progress: () => `rolling: ${podsOf(stage)}` },
  );
  const pods = object.status?.availableReplicas ?? 0;
  report({ name: "complete", at, text: `old version ready, ${pods}/${pods} pods` });
}

function podsOf({ eyes }: StoryStage): string {
  const deployment = newest(eyes.deployments, DEPLOYMENT);
  const wanted = deployment?.spec.replicas ?? 1;
  const { updatedReplicas = 0, availableReplicas = 0 } = deployment?.status ?? {};
  return `${updatedReplicas}/${wanted} updated, ${availableReplicas}/${wanted} available`;
}

/** The last failed request, once some seconds went by without another. */
async function seeHealthy({ stage, releasedAt, report }: Recovery): Promise<number> {
  const path = stage.demo.trafficLog;
  const { at, sum } = await see(
    stage,
    "healthy: requests through the Service no longer fail",
    () => {
      const traffic = readTraffic(path);
      const lastBad = badTimes(traffic, releasedAt).at(-1) ?? releasedAt;
      const last = traffic.at(-1)?.at ?? 0;
      return last - lastBad > QUIET_MS ? { at: lastBad, sum: sumTraffic(traffic, releasedAt) } : undefined;
    },
    { timeoutMs: TIMEOUT_MS },
  );
  report({ name: "healthy", at, text: `no request fails after this (${badSum(sum)} since the release)` });
  return at;
}

function badSum({ ok, failed, lost }: TrafficSum): string {
  return `${failed} of ${ok + failed + lost} failed, ${lost === 0 ? "none" : lost} lost`;
}

async function seeVerified({ stage, request, report }: Recovery): Promise<void> {
  const isIt = ({ metadata }: RollbackRequest): boolean => metadata.name === request;
  const { at, object } = await see(
    stage,
    `verified: RollbackRequest ${request} with condition Verified`,
    () => firstSince(stage.eyes.requests, 0, (each) => isIt(each) && isOver(each)),
    { timeoutMs: TIMEOUT_MS, progress: () => `verifying: ${checksOf(newest(stage.eyes.requests, request))}` },
  );
  if (conditionOf(object, "Verified") !== "True") {
    const why = object.status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
    throw new Error(
      `verified was not seen: RollbackRequest ${request} ended ${object.status?.phase}: ${why}`,
    );
  }
  report({ name: "verified", at, text: passedChecks(object) });
}

export function conditionOf({ status }: RollbackRequest, type: string): string | undefined {
  return status?.conditions?.find((condition) => condition.type === type)?.status;
}

function isOver({ status }: RollbackRequest): boolean {
  return ["Succeeded", "Failed", "Compensated", "Superseded", "Denied", "Expired", "Aborted"].includes(
    status?.phase ?? "",
  );
}

function passedChecks({ status }: RollbackRequest): string {
  const checks = status?.checks ?? [];
  const fewest = Math.min(...checks.map(({ samples }) => samples));
  const values = checks.map(({ name, value = "" }) => `${name} ${value}`).join(", ");
  return `${values} (at least ${fewest} samples each)`;
}

/** How far the verification is. */
function checksOf(request: RollbackRequest | undefined): string {
  const checks = request?.status?.checks ?? [];
  if (checks.every(({ samples }) => samples === 0)) {
    return "waiting until the bad version has left the window of the measurements";
  }
  return checks.map(({ name, outcome, samples }) => `${name} ${outcome}, ${samples} samples`).join("; ");
}
