import { performance } from "node:perf_hooks";
import { targetHash } from "../src/controllers/ledger/ledger.ts";
import { readAudit, type AuditEvent } from "../test/cluster/audit.ts";
import { startWorld, until, type World } from "../test/support/world.ts";
import { figure, progress, quantile } from "./figures.ts";

const NAMESPACE = "bench";
const EXECUTOR = `system:serviceaccount:${NAMESPACE}:rollback-executor`;
const OPERATOR = "system:serviceaccount:rollback-system:rollback-operator";

/**
 * Request created -> patch stored, by the API server's own audit timestamps, in interleaved pairs with
 * `kubectl rollout undo` on a twin (whole process, as a person waits for it).
 */
export async function benchUndo(pairs = 30): Promise<readonly string[]> {
  const world = await startWorld();
  try {
    await world.operator();
    await world.tenant(NAMESPACE);
    // One pair first that does not count: caches, connections and compiled code are cold only once.
    await runPair(world, 0);
    const kubectlMs: number[] = [];
    for (let index = 1; index <= pairs; index += 1) {
      progress(`undo: pair ${index} of ${pairs}`);
      kubectlMs.push(await runPair(world, index));
    }
    return await report(world, pairs, kubectlMs);
  } finally {
    await world.stop();
  }
}

async function runPair(world: World, index: number): Promise<number> {
  const ours = `ours-${index}`;
  const twin = `twin-${index}`;
  for (const name of [ours, twin]) await release(world, name);
  const undoOurs = async () => {
    await world.kubectl(["create", "-f", "-"], requestFor(ours));
    await until(
      ours,
      () => world.deployment(`${NAMESPACE}/${ours}`),
      (d) => imageOf(d) === "web:v1",
    );
  };
  const undoTwin = async () => {
    const began = performance.now();
    await world.kubectl(["rollout", "undo", "-n", NAMESPACE, `deployment/${twin}`]);
    return performance.now() - began;
  };
  // Which one goes first alternates, so that neither always meets the warmer machine.
  if (index % 2 === 0) {
    await undoOurs();
    return undoTwin();
  }
  const twinMs = await undoTwin();
  await undoOurs();
  return twinMs;
}

async function release(world: World, name: string): Promise<void> {
  for (const version of ["v1", "v2"]) {
    await world.kubectl(["apply", "-f", "-"], deploymentFor(name, version));
    await world.kubectl(["rollout", "status", "-n", NAMESPACE, `deployment/${name}`, "--timeout=60s"]);
  }
}

async function report(world: World, pairs: number, kubectlMs: readonly number[]): Promise<readonly string[]> {
  const audit = await readAudit(world.controlPlane.auditLogPath);
  const latencies: number[] = [];
  const writes: number[] = [];
  for (let index = 1; index <= pairs; index += 1) {
    const name = `ours-${index}`;
    const [created] = audit.writes({ resource: "rollbackrequests", verb: "create", name, subresource: "" });
    const [patched] = audit.writes({ resource: "deployments", verb: "patch", name, actor: EXECUTOR });
    if (created === undefined || patched === undefined) throw new Error(`${name}: not in the audit log`);
    latencies.push(at(patched) - at(created));
    const between = audit
      .writes({ user: OPERATOR })
      .filter((event) => at(event) > at(created) && at(event) <= at(patched) && isFor(event, name));
    writes.push(between.length);
  }
  return [
    figure("undo_request_created_to_patch_stored_p50", quantile(latencies, 0.5), "ms", 60),
    figure("undo_request_created_to_patch_stored_p95", quantile(latencies, 0.95), "ms"),
    figure("undo_persisted_writes_until_patch_max", Math.max(...writes), "writes", 6),
    figure("kubectl_rollout_undo_process_p50", quantile(kubectlMs, 0.5), "ms"),
    figure("kubectl_rollout_undo_process_p95", quantile(kubectlMs, 0.95), "ms"),
  ];
}

/** Writes for this request: itself, its target with lock and ledger, its events. Others may be under way as well. */
function isFor({ objectRef }: AuditEvent, name: string): boolean {
  const hash = targetHash({ group: "apps", kind: "Deployment", namespace: NAMESPACE, name });
  const written = objectRef?.name ?? "";
  return written === name || written.startsWith(`${name}.`) || written.endsWith(hash);
}

function at(event: AuditEvent): number {
  const [seconds = "", micros = "0"] = event.stageTimestamp.replace("Z", "").split(".");
  return Date.parse(`${seconds}Z`) + Number(micros) / 10 ** (micros.length - 3);
}

function imageOf(deployment: Awaited<ReturnType<World["deployment"]>>): string | undefined {
  return deployment.spec.template.spec.containers[0]?.image;
}

function deploymentFor(name: string, version: string): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "app", image: `web:${version}` }] },
      },
    },
  });
}

function requestFor(name: string): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackRequest",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      reason: "bench",
      steps: [{ name: "app", workload: { kind: "Deployment", name } }],
      verification: { settle: "0s", soak: "1s", interval: "1s" },
    },
  });
}
