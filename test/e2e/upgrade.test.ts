import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse, stringify } from "yaml";
import { operatorImage } from "../../scripts/operator-image.ts";
import type { RollbackLedger, RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { readAudit } from "../cluster/audit.ts";
import { type Cluster, down, up } from "../cluster/cluster.ts";
import { loadImage, writeNodeImage } from "../cluster/image.ts";
import { idleDeployment, idleImage, loadIdleImages, undoRequest } from "../support/idle-app.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { until } from "../support/world.ts";
import { awaitEstablished } from "../support/established.ts";

const NAME = "e2e-upgrade";
const SYSTEM = ["-n", "rollback-system"] as const;
const SHOP = ["-n", "shop"] as const;
const OPERATOR = [...SYSTEM, "deployment/rollback-operator"] as const;
const EXECUTOR = "system:serviceaccount:shop:rollback-executor";
const GET_CRDS = ["get", "crd", "-o", "name"] as const;
/** A rollout of two pods then takes about 15 seconds: time to do something in the middle of it. */
const SLOW = { minReadySeconds: 7 };
const START_MS = 1_200_000;
const TEST_MS = 300_000;

const lacks = lacksOfThisMachine();
if (lacks !== "") console.log(`the upgrade suite is skipped, this machine cannot run a node:\n${lacks}`);
const describeWithNode = lacks === "" ? describe : describe.skip;

describeWithNode("upgrade and uninstall while a request runs", () => {
  let cluster: Cluster;
  let kubectl: Kubectl;

  beforeAll(async () => {
    await down(NAME);
    cluster = await up(NAME);
    kubectl = await kubectlFor(cluster.kubeconfigPath, cluster.layout.enter);
    const packed = spawnSync("node", ["scripts/image.mts"], { encoding: "utf8" });
    if (packed.status !== 0) throw new Error(packed.stderr);
    await loadImage(cluster.layout, "build/image.tar");
    await loadNextVersion(cluster);
    await loadIdleImages(cluster.layout, ["v1", "v2"]);
    await kubectl(["apply", "-f", "deploy/crds"]);
    await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
    await install();
    await kubectl(["create", "namespace", "shop"]);
    await kubectl(["apply", ...SHOP, "-f", "examples/executor.yaml"]);
    await release("v1");
  }, START_MS);

  afterAll(() => down(NAME), 120_000);

  async function install(): Promise<void> {
    await kubectl(["apply", "-k", "deploy/manifests"]);
    await kubectl(["rollout", "status", ...OPERATOR, "--timeout=120s"]);
  }

  async function release(version: string): Promise<void> {
    await kubectl(["apply", ...SHOP, "-f", "-"], idleDeployment(version, SLOW));
    await kubectl(["rollout", "status", ...SHOP, "deployment/web", "--timeout=120s"]);
  }

  /** Ships v2 and asks for its undoing; resolves when the change is stored and the request is in the phase. */
  async function undoUntil(name: string, phase: string, soak = "3s"): Promise<void> {
    await release("v2");
    await kubectl(["create", ...SHOP, "-f", "-"], undoRequest(name, soak));
    await until(
      `${name} is ${phase} with its change stored`,
      () => request(name),
      ({ status }) => status?.phase === phase && status.timeline?.applied !== undefined,
      60_000,
    );
  }

  async function request(name: string): Promise<RollbackRequest> {
    return JSON.parse(await kubectl(["get", ...SHOP, `rbr/${name}`, "-o", "json"])) as RollbackRequest;
  }

  async function ended(name: string): Promise<RollbackRequest> {
    await kubectl(["wait", ...SHOP, "--for=condition=Ready", `rbr/${name}`, "--timeout=120s"]);
    return request(name);
  }

  /** Changes of the Deployment by the tenant's account so far: each rollback is one. */
  async function acts(): Promise<number> {
    const audit = await readAudit(cluster.auditLogPath);
    return audit.writes({ resource: "deployments", namespace: "shop", actor: EXECUTOR }).length;
  }

  async function executed(): Promise<readonly string[]> {
    const text = await kubectl(["get", ...SHOP, "rbl", "-o", "json"]);
    const { items } = JSON.parse(text) as { readonly items: readonly RollbackLedger[] };
    return items.flatMap(({ spec }) => spec.executed.map(({ name, outcome }) => `${name} ${outcome}`));
  }

  async function podNames(): Promise<readonly string[]> {
    const text = await kubectl(["get", "pods", ...SYSTEM, "-o", "name"]);
    return text.trim().split("\n");
  }

  async function imageNow(): Promise<string> {
    const path = "jsonpath={.spec.template.spec.containers[0].image}";
    return kubectl(["get", ...SHOP, "deployment/web", "-o", path]);
  }

  it(
    "a newer version takes over in the middle of a rollout: one change, a proper end",
    async () => {
      await undoUntil("while-applying", "Applying");
      const before = await podNames();
      await kubectl(["apply", "-f", "-"], newerCrd());
      await kubectl(["set", "image", ...OPERATOR, "operator=rollback-operator:next"]);
      await kubectl(["rollout", "status", ...OPERATOR, "--timeout=120s"]);

      const { status } = await ended("while-applying");

      expect(status).toMatchObject({ phase: "Succeeded", steps: [{ state: "Succeeded" }] });
      expect((await podNames()).filter((name) => before.includes(name))).toEqual([]);
      expect(await imageNow()).toBe(idleImage("v1"));
      expect(await acts()).toBe(1);
      expect(await executed()).toEqual(["while-applying Succeeded"]);
    },
    TEST_MS,
  );

  it(
    "and back to the version before in the middle of a verification",
    async () => {
      await undoUntil("while-verifying", "Verifying", "20s");
      await kubectl(["rollout", "undo", ...OPERATOR]);
      await kubectl(["rollout", "status", ...OPERATOR, "--timeout=120s"]);
      expect((await request("while-verifying")).status?.phase).toBe("Verifying");

      const { status } = await ended("while-verifying");

      expect(status?.phase).toBe("Succeeded");
      expect(status?.conditions?.find(({ type }) => type === "Verified")?.status).toBe("True");
      expect(await acts()).toBe(2);
      expect(await executed()).toEqual(["while-applying Succeeded", "while-verifying Succeeded"]);
    },
    TEST_MS,
  );

  it(
    "an operator that was removed too early leaves the request as it was; installed again, it goes on",
    async () => {
      await undoUntil("left-alone", "Applying");
      await kubectl(["delete", "-k", "deploy/manifests", "--timeout=90s"]);
      // The rollout is Kubernetes' own work and goes on.
      await kubectl(["rollout", "status", ...SHOP, "deployment/web", "--timeout=60s"]);
      expect(await imageNow()).toBe(idleImage("v1"));
      expect((await request("left-alone")).status?.phase).toBe("Applying");

      await install();

      expect((await ended("left-alone")).status?.phase).toBe("Succeeded");
      expect(await acts()).toBe(3);
    },
    TEST_MS,
  );

  it(
    "removed for good: the finalizer holds a deleted request, and with it the CRD, until somebody takes it away",
    async () => {
      await undoUntil("stuck", "Applying");
      await kubectl(["delete", "-k", "deploy/manifests", "--timeout=90s"]);

      await kubectl(["delete", ...SHOP, "rbr/stuck", "--wait=false"]);
      const crds = await kubectl.attempt(["delete", "-f", "deploy/crds", "--timeout=5s"]);
      expect(crds.stderr).toContain("timed out waiting for the condition");
      expect((await request("stuck")).metadata.finalizers).toHaveLength(1);
      expect(await kubectl(GET_CRDS)).toContain("rollbackrequests");

      // docs/install.md, "If the operator is gone already".
      const patch = `{"metadata":{"finalizers":null}}`;
      await kubectl(["patch", ...SHOP, "rbr/stuck", "--type=merge", "-p", patch]);
      await kubectl(["wait", "--for=delete", "--timeout=60s", "-f", "deploy/crds"]);

      expect(await kubectl(GET_CRDS)).not.toContain("rollback");
      await kubectl(["rollout", "status", ...SHOP, "deployment/web", "--timeout=60s"]);
    },
    TEST_MS,
  );

  it(
    "in the right order nothing has to be forced, a running request included",
    async () => {
      await kubectl(["apply", "-f", "deploy/crds"]);
      await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
      await install();
      await undoUntil("running", "Applying");

      await kubectl(["delete", "rbp,rbr", "--all", "-A", "--timeout=60s"]);
      await kubectl(["delete", "-k", "deploy/manifests", "--timeout=90s"]);
      await kubectl(["delete", "-f", "deploy/crds", "--timeout=60s"]);

      expect(await kubectl(GET_CRDS)).not.toContain("rollback");
      const rights = await kubectl(["get", "clusterroles,clusterrolebindings", "-o", "name"]);
      expect(rights).not.toContain("rollback");
      await kubectl(["rollout", "status", ...SHOP, "deployment/web", "--timeout=60s"]);
    },
    TEST_MS,
  );
});

/** The same program under another tag: what an upgrade changes for Kubernetes is the pods. */
async function loadNextVersion(cluster: Cluster): Promise<void> {
  const archive = "build/image-next.tar";
  await writeNodeImage(operatorImage("docker.io/library/rollback-operator:next"), archive);
  await loadImage(cluster.layout, archive);
}

/** The CRD of requests as a later version might have it: one field more, in spec and in status. */
function newerCrd(): string {
  const file = "deploy/crds/rollback.llm-research-lab.io_rollbackrequests.yaml";
  const crd = parse(readFileSync(file, "utf8")) as {
    readonly spec: { readonly versions: { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
  };
  const properties = crd.spec.versions[0]?.schema.openAPIV3Schema.properties;
  for (const part of ["spec", "status"])
    properties![part]!.properties!["later"] = { type: "string", maxLength: 10 };
  return stringify(crd);
}

interface Schema {
  readonly type?: string;
  readonly maxLength?: number;
  readonly properties?: Record<string, Schema>;
}
