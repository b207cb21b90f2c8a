import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type Cluster, down, up } from "../cluster/cluster.ts";
import { loadImage } from "../cluster/image.ts";
import { GOOD } from "../demo/demo-layout.ts";
import { loadRelease } from "../demo/images.ts";
import { readTraffic, sumTraffic } from "../demo/story/traffic-log.ts";
import { toBlue } from "../support/blue-green.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { until } from "../support/world.ts";
import { awaitEstablished } from "../support/established.ts";

const NAME = "e2e-colours";
const SYSTEM = "rollback-system";
const REQUESTS_PER_SECOND = 100;

const lacks = lacksOfThisMachine();
if (lacks !== "") console.log(`the suite of blueGreen under traffic is skipped, no node here:\n${lacks}`);
const describeWithNode = lacks === "" ? describe : describe.skip;

/** Real kubelet, kube-proxy and connections: what the users of the Service see. */
describeWithNode("a change of colour under traffic", () => {
  let cluster: Cluster;
  let kubectl: Kubectl;
  let folder: string;
  let traffic: ChildProcess | undefined;

  beforeAll(async () => {
    await down(NAME);
    cluster = await up(NAME);
    kubectl = await kubectlFor(cluster.kubeconfigPath, cluster.layout.enter);
    folder = await mkdtemp(join(tmpdir(), "rollback-operator-colours-"));
    const packed = spawnSync("node", ["scripts/image.mts"], { encoding: "utf8" });
    if (packed.status !== 0) throw new Error(packed.stderr);
    await loadImage(cluster.layout, "build/image.tar");
    await loadRelease(cluster.layout, GOOD, folder);
    await kubectl(["apply", "-f", "deploy/crds"]);
    await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
    await kubectl(["apply", "-k", "deploy/manifests"]);
    await kubectl(["rollout", "status", "-n", SYSTEM, "deployment/rollback-operator", "--timeout=120s"]);
    await kubectl(["create", "namespace", "shop"]);
    await kubectl(["apply", "-n", "shop", "-f", "examples/executor-blue-green.yaml"]);
  }, 1_200_000);

  afterAll(async () => {
    if (traffic?.exitCode === null && traffic.signalCode === null) {
      traffic.kill("SIGKILL");
      await once(traffic, "exit");
    }
    await down(NAME);
    await rm(folder, { recursive: true, force: true });
  }, 120_000);

  it("loses no request, neither when the traffic moves nor when the old colour goes", async () => {
    await kubectl(["apply", "-n", "shop", "-f", "-"], colours());
    await kubectl(["rollout", "status", "-n", "shop", "deployment/web-green", "--timeout=60s"]);
    const log = join(folder, "traffic.log");
    await startTraffic(log);
    const versions = () => readTraffic(log).at(-1)?.versions ?? {};
    await until(
      "green answers",
      async () => versions(),
      (seen) => Object.keys(seen).join() === "v2",
      60_000,
    );

    await kubectl(["create", "-n", "shop", "-f", "-"], request());
    await kubectl(["wait", "-n", "shop", "--for=condition=Ready", "rbr/undo", "--timeout=120s"]);

    const seconds = readTraffic(log).length;
    await until(
      "only blue answers",
      async () => versions(),
      (seen) => Object.keys(seen).join() === "v1",
    );
    await until("green is gone", podsOfGreen, (pods) => pods === "", 60_000);
    await until(
      "it goes on",
      async () => readTraffic(log).length,
      (length) => length > seconds + 10,
      30_000,
    );
    const { ok, failed, lost } = sumTraffic(readTraffic(log), 0);
    console.log(`${ok} requests answered while the colour changed, ${failed} failed, ${lost} lost`);
    expect({ failed, lost }).toEqual({ failed: 0, lost: 0 });
    expect(ok).toBeGreaterThan(10 * REQUESTS_PER_SECOND);
    expect(Object.keys(versions())).toEqual(["v1"]);
  }, 300_000);

  function podsOfGreen(): Promise<string> {
    return kubectl(["get", "pods", "-n", "shop", "-l", "version=green", "-o", "name"]);
  }

  async function startTraffic(log: string): Promise<void> {
    const address = await kubectl(["get", "service/web", "-n", "shop", "-o", "jsonpath={.spec.clusterIP}"]);
    const script = "test/demo/processes/traffic.mts";
    const url = `http://${address}/`;
    const generator = [process.execPath, script, url, String(REQUESTS_PER_SECOND), log];
    const [program = "", ...args]: readonly string[] = [...cluster.layout.enter, ...generator];
    traffic = spawn(program, args, { stdio: "ignore" });
  }
});

/** Green (v2) has the traffic, blue (v1) has no pods yet. */
function colours(): string {
  const colour = (name: string, version: string, replicas: number) => {
    const labels = { site: "web", version: name };
    const container = {
      name: "app",
      image: GOOD.image,
      imagePullPolicy: "Never",
      ports: [{ name: "http", containerPort: 8080 }],
      readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
      env: [{ name: "VERSION", value: version }],
    };
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: `web-${name}` },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 2, containers: [container] },
        },
      },
    };
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: {
      selector: { site: "web", version: "green" },
      ports: [{ name: "http", port: 80, targetPort: "http" }],
    },
  };
  const items = [colour("green", "v2", 2), colour("blue", "v1", 0), service];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

function request(): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackRequest",
    metadata: { name: "undo" },
    spec: {
      reason: "e2e",
      steps: [{ name: "traffic", blueGreen: toBlue("web", { holdFor: "5s" }) }],
      verification: { checks: [] },
    },
  });
}
