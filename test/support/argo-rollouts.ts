import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ARGO_ROLLOUTS, ensureBinaries } from "../cluster/binaries.ts";
import { startChildren } from "../cluster/child-processes.ts";
import { goModuleFolder } from "../cluster/go-module.ts";
import { freePorts } from "../cluster/ports.ts";
import { waitForUnless } from "../cluster/readiness.ts";
import { awaitEstablished } from "./established.ts";
import type { Kubectl } from "./kubectl.ts";
import type { World } from "./world.ts";

const MODULE = "github.com/argoproj/argo-rollouts";
const PINNED_IN = "test/cluster/go/argo-rollouts";

/** Files of `manifests/crds`, and the kinds in them. */
const CRDS = {
  "rollout-crd": "rollouts",
  "analysis-run-crd": "analysisruns",
  "analysis-template-crd": "analysistemplates",
  "cluster-analysis-template-crd": "clusteranalysistemplates",
  "experiment-crd": "experiments",
} as const;

const START_MS = 60_000;

/** The real controller of Argo Rollouts. */
export interface ArgoRollouts {
  /** Ends the process. */
  stop(): Promise<void>;
}

/** Its real kinds, out of the Go module that the controller is built from. */
export async function installArgoRolloutsCrds(kubectl: Kubectl): Promise<void> {
  const folder = join(await goModuleFolder(MODULE, PINNED_IN), "manifests/crds");
  const files = Object.keys(CRDS).map((name) => readFile(join(folder, `${name}.yaml`), "utf8"));
  // They are longer than what an annotation of kubectl's can hold.
  await kubectl(["apply", "--server-side", "-f", "-"], (await Promise.all(files)).join("\n---\n"));
  const names = Object.values(CRDS).map((plural) => `crd/${plural}.argoproj.io`);
  await awaitEstablished(kubectl, names);
}

/** Runs the controller, as the administrator, against the API server of a world; its kinds must be there. */
export async function startArgoRollouts({ controlPlane }: World): Promise<ArgoRollouts> {
  const { [ARGO_ROLLOUTS]: program } = await ensureBinaries([ARGO_ROLLOUTS]);
  const [metricsPort = 0, healthPort = 0] = await freePorts(2);
  const folder = join(controlPlane.dir, "argo-rollouts");
  await mkdir(folder, { recursive: true });
  const children = startChildren(folder);
  children.start(ARGO_ROLLOUTS, [
    program,
    `--kubeconfig=${controlPlane.kubeconfigPath}`,
    "--namespace=argo-rollouts",
    "--leader-elect=false",
    `--metricsport=${metricsPort}`,
    `--healthzPort=${healthPort}`,
    "--loglevel=info",
  ]);
  const isReady = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${healthPort}/healthz`)).ok;
    } catch {
      return false;
    }
  };
  await waitForUnless(children.failure, "the controller of Argo Rollouts", isReady, { timeoutMs: START_MS });
  return { stop: () => children.stop() };
}
