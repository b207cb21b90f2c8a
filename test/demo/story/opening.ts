import { readFile } from "node:fs/promises";
import type { KubeClient } from "../../../src/kube/client.ts";
import { ROLLBACK_REQUESTS, type RollbackPolicy } from "../../../src/kube/rollback-kinds.ts";
import { namespaceType } from "../../../src/kube/well-known.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { DEPLOYMENT, FILES, GOOD, NAMESPACE, POLICY, REQUESTS_PER_SECOND, ROUTE } from "../demo-layout.ts";
import { type Services, urlOf } from "../services.ts";
import { newest } from "./eyes.ts";
import { isComplete, runs } from "./rollout.ts";
import { see, type StoryStage, type } from "./stage.ts";
import { readTraffic } from "./traffic-log.ts";

const TIMEOUT_MS = 90_000;
/** After this long the finalizers of a request that an earlier run was stopped in are taken away. */
const FORCE_AFTER_MS = 20_000;

/** Removes what an earlier story left. The operator must be running: it ends requests that were under way. */
export async function clearNamespace(
  client: KubeClient,
  waiting: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const key = { namespace: "", name: NAMESPACE };
  if ((await client.tryGet(namespaceType, key, { signal })) === undefined) return;
  await client.delete(namespaceType, key, { signal });
  const began = performance.now();
  while ((await client.tryGet(namespaceType, key, { signal })) !== undefined) {
    const elapsed = performance.now() - began;
    if (elapsed > TIMEOUT_MS) throw new Error(`namespace ${NAMESPACE} of an earlier run does not go away`);
    if (elapsed > FORCE_AFTER_MS) await dropFinalizers(client, signal);
    waiting(`removing namespace ${NAMESPACE} of an earlier run (${Math.floor(elapsed / 1000)} s)`);
    await sleep(200, undefined, { signal });
  }
}

async function dropFinalizers(client: KubeClient, signal: AbortSignal): Promise<void> {
  const { items } = await client.list(ROLLBACK_REQUESTS, { namespace: NAMESPACE, signal });
  for (const { metadata } of items.filter(({ metadata }) => (metadata.finalizers ?? []).length > 0)) {
    const patch = { kind: "merge", value: { metadata: { finalizers: null } } } as const;
    await client.patch(ROLLBACK_REQUESTS, { namespace: NAMESPACE, name: metadata.name }, patch, { signal });
  }
}

/** Release 1: application, executor and traffic. */
export async function shipFirstRelease(stage: StoryStage, services: Services): Promise<void> {
  await type(stage, ["apply", "-f", FILES.application]);
  await type(stage, ["apply", "-n", NAMESPACE, "-f", FILES.executor]);
  await type(stage, ["apply", "-f", FILES.rights]);
  await see(
    stage,
    `${GOOD.version} runs`,
    () => {
      const deployment = newest(stage.eyes.deployments, DEPLOYMENT);
      return deployment !== undefined && runs(deployment, GOOD) && isComplete(deployment) ? true : undefined;
    },
    { timeoutMs: TIMEOUT_MS },
  );
  const url = await openWay(stage, services);
  await services.startTraffic(url);
  await see(stage, `answers from ${url}`, () => readTraffic(stage.demo.trafficLog).find(({ ok }) => ok > 0), {
    timeoutMs: TIMEOUT_MS,
  });
  const way = stage.hasRoutes
    ? `the demo's own gateway, which goes by the weights of HTTPRoute ${ROUTE}, to its Service`
    : `its Service at ${url}`;
  stage.screen.line(
    `  ${GOOD.version} runs; ${REQUESTS_PER_SECOND} requests a second now go through ${way}.`,
  );
}

/** Where requests are sent to: a gateway where the cluster knows routes, else the Service itself. */
async function openWay(stage: StoryStage, services: Services): Promise<string> {
  if (stage.hasRoutes) {
    await type(stage, ["apply", "-f", FILES.route]);
    return services.startGateway();
  }
  const service = ["get", "service", DEPLOYMENT, "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}"];
  return urlOf(await stage.kubectl(service));
}

/** The policy, its values, and the wait until it calls release 1 known good. */
export async function watchFirstRelease(stage: StoryStage): Promise<void> {
  await type(stage, ["apply", "-f", FILES.policy]);
  const policy = await see(stage, "the policy", () => newest(stage.eyes.policies, POLICY), {
    timeoutMs: TIMEOUT_MS,
  });
  for (const line of policyValues(policy)) stage.screen.line(`    ${line}`);
  const knownGood = await see(
    stage,
    `${GOOD.version} known good (status.release.knownGoodSince of RollbackPolicy ${POLICY})`,
    () => newest(stage.eyes.policies, POLICY)?.status?.release?.knownGoodSince,
    { timeoutMs: TIMEOUT_MS, progress: () => bakingProgress(stage, policy.spec.bake) },
  );
  stage.screen.line(`  ${GOOD.version} is known good since ${knownGood.slice(11, 19)} UTC.`);
}

function bakingProgress({ eyes }: StoryStage, bake: string): string {
  const policy = newest(eyes.policies, POLICY);
  const ready = policy?.status?.conditions?.find((condition) => condition.type === "Ready");
  const signals = policy?.status?.signals ?? [];
  if (signals.length === 0 || signals.some(({ state }) => state !== "Ok")) {
    return `first measurements: ${ready?.message ?? "the policy is not evaluated yet"}`;
  }
  const okSince = Math.max(...signals.map(({ since }) => Date.parse(since)));
  return `baking ${Math.floor((Date.now() - okSince) / 1000)}s of ${bake}: ${ready?.message ?? ""}`;
}

/** The values in force, read back from the cluster. */
function policyValues({ spec }: RollbackPolicy): readonly string[] {
  const rows = (spec.matrix ?? []).map(({ name, when, action, severity }) => {
    const bound = when.above === undefined ? `< ${when.below}` : `> ${when.above}`;
    return `row ${name}: ${when.signal} ${bound} for ${when.for} -> ${action} (${severity})`;
  });
  const { settle, soak, interval } = spec.verification;
  const [signal] = spec.signals;
  return [
    "values for a demo, far shorter than the defaults:",
    `  interval ${spec.interval}, window ${signal?.prometheus?.ratio?.window}, ${rows.join("; ")}`,
    `  bake ${spec.bake}; verification: settle ${settle}, soak ${soak}, every ${interval}; guards: settle ${spec.guards.settle}, cool-down ${spec.guards.cooldown}`,
  ];
}

/** A file as the reader would print it. */
export async function showFile(stage: StoryStage, path: string): Promise<void> {
  stage.screen.command(`cat ${path}`, await readFile(path, "utf8"));
}
