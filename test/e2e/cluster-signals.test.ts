import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { down, up, type Cluster } from "../cluster/cluster.ts";
import { loadImage, writeNodeImage } from "../cluster/image.ts";
import type { RollbackLedger, RollbackPolicy, RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { kubectlFor, type Kubectl } from "../support/kubectl.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { until } from "../support/world.ts";
import { awaitEstablished } from "../support/established.ts";

const NAME = "e2e-signals";
const SYSTEM = "rollback-system";

const lacks = lacksOfThisMachine();
if (lacks !== "")
  console.log(`signals of a real kubelet are skipped, this machine cannot run a node:\n${lacks}`);
const describeWithNode = lacks === "" ? describe : describe.skip;

/** What the application is started with: nothing to do, or eight more megabytes every tenth of a second. */
const IDLE = "setInterval(() => {}, 1e6)";
const HUNGRY = "const all = []; setInterval(() => all.push(Buffer.alloc(8e6, 1)), 100)";

interface List<T> {
  readonly items: readonly T[];
}

describeWithNode("signals of pods that a real kubelet runs", () => {
  let cluster: Cluster;
  let kubectl: Kubectl;

  const json = async <T>(args: readonly string[]): Promise<T> =>
    JSON.parse(await kubectl([...args, "-n", "shop", "-o", "json"])) as T;
  const policy = () => json<RollbackPolicy>(["get", "rbp/web"]);

  async function knownGood(): Promise<void> {
    await until(
      "the release is known good",
      policy,
      ({ status }) => status?.release?.knownGoodSince !== undefined,
      180_000,
    );
  }

  /** The request that a release leads to, once it has ended. */
  async function rolledBack(template: object): Promise<RollbackRequest> {
    const before = (await json<List<RollbackRequest>>(["get", "rbr"])).items.map(
      ({ metadata }) => metadata.uid,
    );
    await kubectl(["apply", "-n", "shop", "-f", "-"], deployment(template));
    const { items } = await until(
      "an automatic request has ended",
      () => json<List<RollbackRequest>>(["get", "rbr"]),
      (list) =>
        list.items.some(
          ({ metadata, status }) =>
            !before.includes(metadata.uid) && /Succeeded|Failed/.test(status?.phase ?? ""),
        ),
      300_000,
    );
    const request = items.find(({ metadata }) => !before.includes(metadata.uid));
    if (request === undefined) throw new Error("a request that was just there is gone");
    return request;
  }

  beforeAll(async () => {
    await down(NAME);
    cluster = await up(NAME);
    kubectl = await kubectlFor(cluster.kubeconfigPath, cluster.layout.enter);
    const packed = spawnSync("node", ["scripts/image.mts"], { encoding: "utf8" });
    if (packed.status !== 0) throw new Error(packed.stderr);
    await loadImage(cluster.layout, "build/image.tar");
    const archive = "build/node-app.tar";
    await writeNodeImage({ name: "localhost/app:v1", files: [], entrypoint: ["/usr/bin/node"] }, archive);
    await loadImage(cluster.layout, archive);
    await kubectl(["apply", "-f", "deploy/crds"]);
    await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
    await kubectl(["apply", "-k", "deploy/manifests"]);
    await kubectl(["rollout", "status", "-n", SYSTEM, "deployment/rollback-operator", "--timeout=180s"]);
    await kubectl(["create", "namespace", "shop"]);
    await kubectl(["apply", "-n", "shop", "-f", "examples/executor.yaml"]);
    await kubectl(["apply", "-n", "shop", "-f", "-"], deployment({}));
    await kubectl(["rollout", "status", "-n", "shop", "deployment/web", "--timeout=120s"]);
    await kubectl(["apply", "-n", "shop", "-f", "-"], JSON.stringify(POLICY));
    await knownGood();
  }, 1_200_000);

  afterAll(() => down(NAME), 120_000);

  it("roll back a release that is killed for memory, each death once", async () => {
    const request = await rolledBack({ args: ["-e", HUNGRY] });

    expect(request.status).toMatchObject({ phase: "Succeeded", trigger: { row: "memory-leak" } });
    expect(request.spec.reason).toMatch(/^oom-kills \d+ > 2 /);
    const [ledger] = (await json<List<RollbackLedger>>(["get", "rbl"])).items;
    const deaths = ledger?.spec.deaths ?? [];
    const killed = deaths.filter(({ reason }) => reason === "OOMKilled");
    expect(killed.length).toBeGreaterThanOrEqual(3);
    // The runtime's own ids, each once.
    expect(killed.every(({ id }) => /^[0-9a-f]{12}$/.test(id))).toBe(true);
    expect(new Set(deaths.map(({ podUid, id }) => `${podUid} ${id}`)).size).toBe(deaths.length);
    await knownGood();
  }, 900_000);

  it("roll back a release whose image cannot be pulled", async () => {
    const request = await rolledBack({ image: "127.0.0.1:1/none:v1", imagePullPolicy: "IfNotPresent" });

    expect(request.status).toMatchObject({ phase: "Succeeded", trigger: { row: "image-gone" } });
    await knownGood();
  }, 900_000);

  it("roll back a release whose readiness probe fails", async () => {
    const readinessProbe = {
      exec: { command: ["/usr/bin/node", "-e", "process.exit(1)"] },
      periodSeconds: 2,
      failureThreshold: 2,
      timeoutSeconds: 5,
    };
    const request = await rolledBack({ readinessProbe });

    expect(request.status).toMatchObject({ phase: "Succeeded", trigger: { row: "not-ready" } });
    // Stopping the pods of three bad releases was no death of the good one.
    const [ledger] = (await json<List<RollbackLedger>>(["get", "rbl"])).items;
    const live = (await policy()).status?.release?.replicaSetUid;
    expect((ledger?.spec.deaths ?? []).filter(({ replicaSetUid }) => replicaSetUid === live)).toEqual([]);
  }, 900_000);
});

function row(name: string, signal: string, above: string, length: string) {
  return { name, when: { signal, above, for: length }, severity: "SEV2", action: "Rollback" };
}

const POLICY = {
  apiVersion: "rollback.llm-research-lab.io/v1alpha1",
  kind: "RollbackPolicy",
  metadata: { name: "web" },
  spec: {
    target: { kind: "Deployment", name: "web" },
    serviceAccountName: "rollback-executor",
    interval: "2s",
    bake: "6s",
    signals: [
      { name: "oom-kills", pods: { terminated: "OOMKilled", distinctPods: 1 } },
      { name: "image", pods: { waiting: "ImagePullBackOff" } },
      { name: "readiness", pods: { failingProbe: "Readiness" } },
    ],
    matrix: [
      row("memory-leak", "oom-kills", "2", "0s"),
      row("image-gone", "image", "0", "6s"),
      row("not-ready", "readiness", "0", "4s"),
    ],
    guards: { settle: "0s", cooldown: "1s", maxPerDay: 10 },
    verification: { settle: "1s", soak: "4s", interval: "1s" },
  },
};

function deployment(container: object): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: "app",
              image: "localhost/app:v1",
              imagePullPolicy: "Never",
              args: ["-e", IDLE],
              resources: { limits: { memory: "128Mi" }, requests: { memory: "16Mi" } },
              ...container,
            },
          ],
        },
      },
    },
  });
}
