import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type Cluster, down, up } from "../cluster/cluster.ts";
import { loadImage, writeNodeImage } from "../cluster/image.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { until } from "../support/world.ts";

const NAME = "e2e-install";
const SYSTEM = "rollback-system";

const lacks = lacksOfThisMachine();
if (lacks !== "") console.log(`the in-cluster suite is skipped, this machine cannot run a node:\n${lacks}`);
const describeWithNode = lacks === "" ? describe : describe.skip;

interface Pods {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

describeWithNode("the operator as pods of its own image", () => {
  let cluster: Cluster;
  let kubectl: Kubectl;

  const json = async <T>(args: readonly string[]): Promise<T> =>
    JSON.parse(await kubectl([...args, "-o", "json"])) as T;
  const leader = async () =>
    (
      await kubectl([
        "get",
        "lease",
        "rollback-operator",
        "-n",
        SYSTEM,
        "-o",
        "jsonpath={.spec.holderIdentity}",
      ])
    ).split("_")[0] ?? "";

  async function release(version: string): Promise<void> {
    await kubectl(["apply", "-n", "shop", "-f", "-"], deployment(version));
    await kubectl(["rollout", "status", "-n", "shop", "deployment/web", "--timeout=60s"]);
  }

  async function undo(name: string): Promise<string> {
    await kubectl(["create", "-n", "shop", "-f", "-"], request(name));
    await kubectl(["wait", "-n", "shop", "--for=condition=Ready", `rbr/${name}`, "--timeout=90s"]);
    return kubectl([
      "get",
      "-n",
      "shop",
      "deployment/web",
      "-o",
      "jsonpath={.spec.template.spec.containers[0].image}",
    ]);
  }

  beforeAll(async () => {
    await down(NAME);
    cluster = await up(NAME);
    kubectl = await kubectlFor(cluster.kubeconfigPath, cluster.layout.enter);
    const packed = spawnSync("node", ["scripts/image.mts"], { encoding: "utf8" });
    if (packed.status !== 0) throw new Error(packed.stderr);
    await loadImage(cluster.layout, "build/image.tar");
    for (const version of ["v1", "v2", "v3"]) {
      const archive = `build/idle-${version}.tar`;
      await writeNodeImage(
        {
          name: `localhost/idle:${version}`,
          files: [],
          entrypoint: ["/usr/bin/node", "-e", "setInterval(() => {}, 1e6)"],
        },
        archive,
      );
      await loadImage(cluster.layout, archive);
    }
    await kubectl(["apply", "-f", "deploy/crds"]);
    await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "-f", "deploy/crds"]);
    await kubectl(["apply", "-k", "deploy/manifests"]);
    await kubectl(["rollout", "status", "-n", SYSTEM, "deployment/rollback-operator", "--timeout=120s"]);
    await kubectl(["create", "namespace", "shop"]);
    await kubectl(["apply", "-n", "shop", "-f", "examples/executor.yaml"]);
  }, 1_200_000);

  afterAll(() => down(NAME), 120_000);

  it("runs two replicas as non-root, and one of them leads", async () => {
    const { items } = await json<Pods>(["get", "pods", "-n", SYSTEM]);

    expect(items).toHaveLength(2);
    expect(items.map(({ metadata }) => metadata.name)).toContain(await leader());
    // A pod that the restricted profile forbids would not come back.
    await kubectl(["label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted"]);
    await kubectl(["rollout", "restart", "-n", SYSTEM, "deployment/rollback-operator"]);
    await kubectl(["rollout", "status", "-n", SYSTEM, "deployment/rollback-operator", "--timeout=120s"]);
  }, 180_000);

  it("undoes a release by request", async () => {
    await release("v1");
    await release("v2");

    expect(await undo("first")).toBe("localhost/idle:v1");
  }, 240_000);

  it("goes on when the leader is deleted in the middle of a rollback", async () => {
    await release("v3");
    await kubectl(["create", "-n", "shop", "-f", "-"], request("second"));
    const before = await leader();
    await kubectl(["delete", "pod", "-n", SYSTEM, before, "--wait=false"]);
    await kubectl(["wait", "-n", "shop", "--for=condition=Ready", "rbr/second", "--timeout=120s"]);

    const after = await until("another leader", leader, (name) => name !== before && name !== "", 60_000);
    expect(after).not.toBe(before);
    const image = await kubectl([
      "get",
      "-n",
      "shop",
      "deployment/web",
      "-o",
      "jsonpath={.spec.template.spec.containers[0].image}",
    ]);
    expect(image).toBe("localhost/idle:v1");
  }, 300_000);

  it("is uninstalled whole, and leaves the workload alone", async () => {
    await kubectl(["delete", "-k", "deploy/manifests", "--timeout=90s"]);
    await kubectl(["delete", "-f", "deploy/crds", "--timeout=60s"]);

    const { stdout } = await kubectl.attempt(["get", "clusterroles,clusterrolebindings", "-o", "name"]);
    expect(stdout).not.toMatch(/rollback/);
    await kubectl(["rollout", "status", "-n", "shop", "deployment/web", "--timeout=30s"]);
  }, 240_000);
});

function deployment(version: string): string {
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
          containers: [{ name: "app", image: `localhost/idle:${version}`, imagePullPolicy: "Never" }],
        },
      },
    },
  });
}

function request(name: string): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackRequest",
    metadata: { name },
    spec: {
      reason: "e2e",
      steps: [{ name: "app", workload: { kind: "Deployment", name: "web" } }],
      verification: { settle: "1s", soak: "3s", interval: "1s" },
    },
  });
}
