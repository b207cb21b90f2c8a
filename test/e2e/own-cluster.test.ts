import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { down, up } from "../cluster/cluster.ts";
import { loadImage, programLayer, writeImage } from "../cluster/image.ts";
import { findProgram } from "../cluster/run-command.ts";
import { contextKubectl } from "../demo/context/access.ts";
import { contextLayout } from "../demo/demo-layout.ts";
import { CONTEXT_IMAGES } from "../demo/images.ts";
import type { Chapter } from "../demo/story/facts.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { awaitEstablished } from "../support/established.ts";
import { installHttpRoutes } from "../support/route-crds.ts";

const NAME = "e2e-own";
const START_MS = 1_200_000;
const STORY_MS = 400_000;
const PROMETHEUS = "localhost/prometheus:debian";

/** The user's cluster when one is named; else one of this machine, which the demo knows by its context only. */
const named = process.env["CLUSTER_CONTEXT"] ?? "";
const lacks = named === "" ? lacksOfThisMachine() : "";
if (lacks !== "") console.log(`the suite of a user's own cluster is skipped, no node here:\n${lacks}`);
const describeWithNode = lacks === "" ? describe : describe.skip;
/** What the tests break, they break on their own cluster only. */
const itOnOurs = named === "" ? it : it.skip;

describeWithNode("the demo on a cluster of the user's own", () => {
  let kubectl: Kubectl;
  let enter: readonly string[] = [];
  let env: NodeJS.ProcessEnv = { ...process.env };
  const load: (() => Promise<void>)[] = [];
  let before: string;

  beforeAll(async () => {
    if (named !== "") {
      kubectl = await contextKubectl(named);
      before = await everything(kubectl);
      return;
    }
    await down(NAME);
    const { layout, kubeconfigPath } = await up(NAME);
    enter = layout.enter;
    env = { ...env, KUBECONFIG: kubeconfigPath, CLUSTER_CONTEXT: "test", PROMETHEUS_IMAGE: PROMETHEUS };
    kubectl = await kubectlFor(kubeconfigPath, enter);
    await installHttpRoutes(kubectl);
    await kubectl(["create", "namespace", "bystander"]);
    await kubectl(["create", "configmap", "precious", "-n", "bystander", "--from-literal=a=b"]);
    load.push(
      ...CONTEXT_IMAGES.map(
        ({ archive }) =>
          () =>
            loadImage(layout, archive),
      ),
    );
    load.push(async () => loadImage(layout, await packPrometheus()));
    before = await everything(kubectl);
  }, START_MS);

  afterAll(async () => {
    await play("down");
    if (named === "") await down(NAME);
  }, 240_000);

  itOnOurs(
    "refuses to start where a namespace of that name is not the demo's, and changes nothing",
    async () => {
      await kubectl(["create", "namespace", "demo"]);

      const { code, output } = await play("up");

      expect({ code, output }).toEqual({
        code: 1,
        output: expect.stringMatching(/touches only its own:\n {2}- Namespace\/demo\n/),
      });
      await kubectl(["delete", "namespace", "demo"]);
      expect(await everything(kubectl)).toBe(before);
    },
    120_000,
  );

  itOnOurs(
    "refuses to start where the operator is installed already, and its removal leaves that alone",
    async () => {
      await kubectl(["apply", "-f", "deploy/crds"]);
      // A kind that is deleted before it is served takes minutes to go.
      await awaitEstablished(kubectl, ["-f", "deploy/crds"]);

      const { code, output } = await play("up");
      expect(code).toBe(1);
      expect(output).toContain("CustomResourceDefinition/rollbackpolicies.rollback.llm-research-lab.io");
      expect(await play("down")).toEqual({ code: 0, output: expect.stringContaining("made nothing") });

      expect(await kubectl(["get", "-f", "deploy/crds", "-o", "name"])).toMatch(/^(\S+rollback\S+\n){3}$/);
      await kubectl(["delete", "-f", "deploy/crds"]);
    },
    300_000,
  );

  itOnOurs(
    "says how to load the images that the cluster lacks",
    async () => {
      const { code, output } = await play("up");

      expect(code).toBe(1);
      const archives = CONTEXT_IMAGES.map(({ archive }) => archive).join(" ");
      expect(output).toContain(
        `for archive in ${archives}; do kind load image-archive $archive --name NAME; done`,
      );
    },
    240_000,
  );

  it(
    "plays the whole story with everything as pods",
    async () => {
      for (const image of load) await image();

      const { code, output } = await play("up");

      if (code !== 0) throw new Error(output);
      const file = contextLayout(env["CLUSTER_CONTEXT"] ?? "").sightingsFile;
      const chapters = JSON.parse(readFileSync(file, "utf8")) as readonly Chapter[];
      const seen = chapters.map(({ facts }) => facts.map(({ name }) => name));
      const recovery = ["patched", "first pod", "complete", "healthy", "verified"];
      expect(seen).toEqual([
        expect.arrayContaining(["release", "breach", "decided", ...recovery]),
        expect.arrayContaining(["release", "breach", "held", "asked", ...recovery]),
        // A cluster of the user's own may lack the kind of route that this one needs.
        ...((await hasRoutes(kubectl))
          ? [
              expect.arrayContaining([
                "canary",
                "settings",
                "asked",
                "traffic",
                "restored",
                "clean",
                ...recovery,
              ]),
            ]
          : []),
      ]);
      const pods = await kubectl(["get", "pods", "-n", "demo-tools", "-o", "name"]);
      expect(pods).toMatch(/pod\/prometheus-.*\npod\/traffic-/);
    },
    STORY_MS,
  );

  itOnOurs(
    "does not take the operator away from somebody who began to use it",
    async () => {
      await kubectl(["apply", "-n", "bystander", "-f", "examples/undo.yaml"]);

      const { code, output } = await play("down");

      expect({ code, output }).toEqual({
        code: 1,
        output: expect.stringContaining("RollbackRequest bystander/web-undo-1"),
      });
      await kubectl(["get", "rbp", "web", "-n", "demo"]);
      await kubectl(["delete", "rbr,rbl", "--all", "-n", "bystander"]);
    },
    120_000,
  );

  it("is removed whole, and nothing else with it", async () => {
    expect(await play("down")).toMatchObject({ code: 0 });

    expect(await everything(kubectl)).toBe(before);
  }, 300_000);

  /** Runs the demo's program as `make` does. */
  function play(command: "up" | "down"): Promise<{ readonly code: number | null; readonly output: string }> {
    const [program = "", ...args]: readonly string[] = [
      ...enter,
      process.execPath,
      "test/demo/main.mts",
      command,
    ];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, output }));
    });
  }
});

async function hasRoutes(kubectl: Kubectl): Promise<boolean> {
  const crd = ["get", "crd", "httproutes.gateway.networking.k8s.io"];
  return (await kubectl.attempt(crd)).code === 0;
}

/** Every object that the demo could have made or changed, apart from what the cluster itself keeps writing. */
async function everything(kubectl: Kubectl): Promise<string> {
  const wide = ["namespaces,customresourcedefinitions,clusterroles,clusterrolebindings", "-o", "name"];
  const inside = ["configmaps,serviceaccounts,roles,rolebindings,deployments,services,pods", "-A"];
  const columns = "custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name";
  const objects = await kubectl(["get", ...inside, "-o", columns, "--no-headers"]);
  return `${await kubectl(["get", ...wide])}${objects}`;
}

/** Its image cannot be pulled here: Debian's program is packed instead. */
async function packPrometheus(): Promise<string> {
  const program = findProgram("prometheus");
  if (program === undefined) throw new Error("prometheus is missing: apt-get install prometheus");
  const output = "build/prometheus.tar";
  rmSync(output, { force: true });
  await mkdir("build", { recursive: true });
  await writeImage(
    {
      name: PROMETHEUS,
      layers: [await programLayer(program, "bin/prometheus")],
      entrypoint: ["/bin/prometheus"],
      user: "65534",
    },
    output,
  );
  return output;
}
