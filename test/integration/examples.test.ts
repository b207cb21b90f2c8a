import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import type { ControlPlane } from "../cluster/control-plane.ts";
import { startControlPlane } from "../cluster/control-plane.ts";
import { kubectlFor, type Kubectl } from "../support/kubectl.ts";
import { installOperator } from "../support/operator-process.ts";
import { installHttpRoutes } from "../support/route-crds.ts";

const START_MS = 90_000;
const TEST_MS = 30_000;

/** Every file of examples/ that a reader would `kubectl apply`; the admin's configuration is checked apart. */
const MANIFESTS = yamlFiles("examples").filter((file) => !file.includes("/config/"));
const CONFIGS = yamlFiles(join("examples", "config"));

describe("the examples", () => {
  let controlPlane: ControlPlane;
  let kubectl: Kubectl;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: false });
    kubectl = await kubectlFor(controlPlane.kubeconfigPath);
    await installOperator(kubectl);
    await installHttpRoutes(kubectl);
    const namespaces = new Set(MANIFESTS.flatMap(namespacesOf));
    for (const name of namespaces) {
      const object = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await kubectl(["apply", "-f", "-"], JSON.stringify(object));
    }
  }, START_MS);

  afterAll(async () => {
    await controlPlane?.stop();
  }, START_MS);

  it("are there", () => {
    expect(MANIFESTS).toEqual(expect.arrayContaining(["examples/executor.yaml", "examples/undo.yaml"]));
  });

  it.each(MANIFESTS)(
    "%s is accepted by the API server, every field of it",
    async (file) => {
      const { code, stderr } = await kubectl.attempt([
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        file,
      ]);

      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    },
    TEST_MS,
  );

  it.each(CONFIGS)("%s is a configuration that the operator takes", async (file) => {
    await expect(loadConfig(file)).resolves.toMatchObject({ namespace: "rollback-system" });
  });
});

function yamlFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => join(folder, file))
    .toSorted();
}

function namespacesOf(file: string): readonly string[] {
  return parseAllDocuments(readFileSync(file, "utf8")).flatMap((document) => {
    const namespace: unknown = document.getIn(["metadata", "namespace"]);
    return typeof namespace === "string" ? [namespace] : [];
  });
}
