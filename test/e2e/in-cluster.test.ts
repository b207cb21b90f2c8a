import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type Cluster, down, up } from "../cluster/cluster.ts";
import { loadImage, writeNodeImage } from "../cluster/image.ts";
import { GOOD } from "../demo/demo-layout.ts";
import { loadRelease } from "../demo/images.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { measure, type Measurements } from "../support/measurements.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { hasPrometheus } from "../support/prometheus.ts";
import { API, applicationOf } from "../support/sample-application.ts";
import { until } from "../support/world.ts";
import { awaitEstablished } from "../support/established.ts";

const NAME = "e2e-install";
const SYSTEM = "rollback-system";
const itWithPrometheus = hasPrometheus() ? it : it.skip;

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
    await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
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

  describe("the runbook's seven checks and six smoke tests", () => {
    let measurements: Measurements;

    const ended = (name: string) =>
      until(
        `RollbackRequest ${name} ends`,
        () => json<RollbackRequest>(["get", "-n", "shop", `rbr/${name}`]),
        ({ status }) => status?.phase === "Succeeded" || status?.phase === "Failed",
        300_000,
      );
    const ship = async (env: Readonly<Record<string, string>>) => {
      await kubectl(["apply", "-n", "shop", "-f", "-"], applicationOf(GOOD.image, env));
      await kubectl(["rollout", "status", "-n", "shop", `deployment/${API}`, "--timeout=60s"]);
    };
    const ask = (name: string, to: object, spec: object = {}) =>
      kubectl(
        ["create", "-n", "shop", "-f", "-"],
        JSON.stringify({
          apiVersion: "rollback.llm-research-lab.io/v1alpha1",
          kind: "RollbackRequest",
          metadata: { name },
          spec: {
            reason: "e2e",
            policyRef: { name: API },
            steps: [{ name: "app", workload: { to } }],
            ...spec,
          },
        }),
      );

    beforeAll(async () => {
      if (!hasPrometheus()) return;
      await loadRelease(cluster.layout, GOOD, "build");
      await ship({});
      const service = await json<{ readonly spec: { readonly clusterIP: string } }>([
        "get",
        "-n",
        "shop",
        `service/${API}`,
      ]);
      measurements = await measure(cluster, `http://${service.spec.clusterIP}/`);
      await kubectl(["apply", "-f", "-"], operatorConfig(measurements.prometheusUrl));
      await kubectl(["rollout", "restart", "-n", SYSTEM, "deployment/rollback-operator"]);
      await kubectl(["rollout", "status", "-n", SYSTEM, "deployment/rollback-operator", "--timeout=120s"]);
      await kubectl(["apply", "-n", "shop", "-f", "examples/verification.yaml"]);
    }, 300_000);

    afterAll(async () => {
      await measurements?.stop();
    });

    itWithPrometheus(
      "all pass on the restored version",
      async () => {
        await ship({ FAIL_RATIO: "0.3" });
        await ask("runbook", { strategy: "Previous" });

        const { status } = await ended("runbook");

        expect(status?.plan?.steps[0]?.warnings.filter((text) => text.startsWith("unchecked: the"))).toEqual(
          [],
        );
        expect(
          status?.checks?.map(({ name, outcome, value }) => `${name}: ${outcome} ${value ?? ""}`),
        ).toEqual([
          "pods: Passed 2/2 ready",
          "health: Passed GET /health: good on 2 pods",
          "readiness: Passed GET /health/ready: good on 2 pods",
          expect.stringMatching(/^errors: Passed 0% <= 1%$/),
          expect.stringMatching(/^latency: Passed .* <= 2 ?s$/),
          "database: Passed GET /health/db: good on 2 pods",
          expect.stringMatching(/^version: Passed \S+ on 2 pods$/),
          "smoke: Passed 6/6 paths",
        ]);
        expect(status?.conditions).toContainEqual(
          expect.objectContaining({ type: "Verified", status: "True" }),
        );
        expect(await environmentOf()).toEqual([]);
      },
      420_000,
    );

    itWithPrometheus(
      "name the path and the pod when the restored version is ill too",
      async () => {
        await ship({ BROKEN_PATHS: "/prompts" });
        const { metadata } = await json<{
          readonly metadata: { readonly annotations: Record<string, string> };
        }>(["get", "-n", "shop", `deployment/${API}`]);
        const revision = Number(metadata.annotations["deployment.kubernetes.io/revision"]);
        await ship({ FAIL_RATIO: "0.3" });
        const smoke = { service: API, requests: ["/models", "/prompts"] };
        const verification = { settle: "1s", soak: "3s", interval: "1s", checks: [{ name: "smoke", smoke }] };
        await ask("ill", { revision }, { verification });

        const { status } = await ended("ill");

        expect(status?.phase).toBe("Failed");
        expect(status?.checks).toEqual([
          expect.objectContaining({
            outcome: "Failed",
            value: expect.stringMatching(
              /^1\/2 paths; GET \/prompts on pod llm-research-api-\S+: 500, expected 2xx$/,
            ),
          }),
        ]);
        expect(await environmentOf()).toEqual([{ name: "BROKEN_PATHS", value: "/prompts" }]);
      },
      240_000,
    );

    async function environmentOf(): Promise<readonly unknown[]> {
      const path = "jsonpath={.spec.template.spec.containers[0].env}";
      const text = await kubectl(["get", "-n", "shop", `deployment/${API}`, "-o", path]);
      return text === "" ? [] : (JSON.parse(text) as readonly unknown[]);
    }
  });

  it("is uninstalled whole, and leaves the workload alone", async () => {
    await kubectl(["delete", "-k", "deploy/manifests", "--timeout=90s"]);
    await kubectl(["delete", "-f", "deploy/crds", "--timeout=60s"]);

    const { stdout } = await kubectl.attempt(["get", "clusterroles,clusterrolebindings", "-o", "name"]);
    expect(stdout).not.toMatch(/rollback/);
    await kubectl(["rollout", "status", "-n", "shop", "deployment/web", "--timeout=30s"]);
  }, 240_000);
});

/** The operator's own configuration, as deploy/manifests/config.yaml with another Prometheus. */
function operatorConfig(url: string): string {
  const servers = [{ name: "default", url, scrapeInterval: "1s", namespaceLabel: "namespace" }];
  return JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "rollback-operator", namespace: SYSTEM },
    data: { "operator.yaml": JSON.stringify({ namespace: SYSTEM, prometheus: { servers } }) },
  });
}

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
