import { readAudit } from "../test/cluster/audit.ts";
import type { OperatorProcess } from "../test/support/operator-process.ts";
import { startWorld, until, type World } from "../test/support/world.ts";
import { figure, progress, quantile } from "./figures.ts";

const NAMESPACE = "handover";
const EXECUTOR = `system:serviceaccount:${NAMESPACE}:rollback-executor`;
/** The defaults: nothing about the election is made faster here. */
const CONFIG = "logLevel: info\n";

/** From the end of a leader to the first act of the next one, by the API server's audit timestamps. */
export async function benchHandover(graceful = 10, killed = 3): Promise<readonly string[]> {
  const world = await startWorld();
  try {
    await world.tenant(NAMESPACE);
    let leader = await world.operator({ config: CONFIG });
    await untilLeading(leader, 30_000);
    const run = async (name: string, end: (operator: OperatorProcess) => Promise<unknown>) => {
      const standby = await world.operator({ config: CONFIG });
      await release(world, name);
      // At a moment of its own within the leader's renewals.
      await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 2_000));
      const endedAt = Date.now();
      await end(leader);
      await world.kubectl(["create", "-f", "-"], requestFor(name));
      const actedAt = await firstAct(world, name);
      await untilLeading(standby, 30_000);
      leader = standby;
      return actedAt - endedAt;
    };
    const stops: number[] = [];
    for (let index = 1; index <= graceful; index += 1) {
      progress(`handover: SIGTERM ${index} of ${graceful}`);
      stops.push(await run(`stopped-${index}`, (operator) => operator.stop()));
    }
    const kills: number[] = [];
    for (let index = 1; index <= killed; index += 1) {
      progress(`handover: SIGKILL ${index} of ${killed}`);
      kills.push(await run(`killed-${index}`, (operator) => operator.kill()));
    }
    return [
      figure("handover_sigterm_to_first_act_p50", quantile(stops, 0.5), "ms"),
      figure("handover_sigterm_to_first_act_max", Math.max(...stops), "ms", 2_000),
      figure("handover_sigkill_to_first_act_p50", quantile(kills, 0.5), "ms", 15_000),
      figure("handover_sigkill_to_first_act_max", Math.max(...kills), "ms"),
    ];
  } finally {
    await world.stop();
  }
}

/** When the patch of the target was stored, ms since the epoch. */
async function firstAct(world: World, name: string): Promise<number> {
  const acts = await until(
    `${name} is rolled back`,
    async () =>
      (await readAudit(world.controlPlane.auditLogPath)).writes({
        resource: "deployments",
        verb: "patch",
        name,
        actor: EXECUTOR,
      }),
    ({ length }) => length > 0,
    60_000,
  );
  return Date.parse(acts[0]?.stageTimestamp ?? "");
}

async function untilLeading({ url }: OperatorProcess, timeoutMs: number): Promise<void> {
  await until(
    "the operator leads",
    async () => (await fetch(`${url}/metrics`)).text(),
    (text) => /^leader_election_master_status 1$/m.test(text),
    timeoutMs,
  );
}

async function release(world: World, name: string): Promise<void> {
  for (const version of ["v1", "v2"]) {
    const manifest = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace: NAMESPACE },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name: "app", image: `web:${version}` }] },
        },
      },
    };
    await world.kubectl(["apply", "-f", "-"], JSON.stringify(manifest));
    await world.kubectl(["rollout", "status", "-n", NAMESPACE, `deployment/${name}`, "--timeout=60s"]);
  }
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
