import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureBinaries, FLAGGER } from "../cluster/binaries.ts";
import { startChildren } from "../cluster/child-processes.ts";
import { goModuleFolder } from "../cluster/go-module.ts";
import { freePorts } from "../cluster/ports.ts";
import { waitForUnless } from "../cluster/readiness.ts";
import { awaitEstablished } from "./established.ts";
import type { Kubectl } from "./kubectl.ts";
import type { World } from "./world.ts";

const MODULE = "github.com/fluxcd/flagger";
const PINNED_IN = "test/cluster/go/flagger";
const KINDS = ["canaries", "metrictemplates", "alertproviders"];
const START_MS = 60_000;

/** The real Flagger. */
export interface Flagger {
  /** Ends the process. */
  stop(): Promise<void>;
}

/** Its real kinds, out of the Go module that it is built from. */
export async function installFlaggerCrds(kubectl: Kubectl): Promise<void> {
  const file = join(await goModuleFolder(MODULE, PINNED_IN), "artifacts/flagger/crd.yaml");
  await kubectl(["apply", "--server-side", "-f", "-"], await readFile(file, "utf8"));
  const names = KINDS.map((plural) => `crd/${plural}.flagger.app`);
  await awaitEstablished(kubectl, names);
}

/** Runs it, as the administrator, on one namespace of a world; its kinds must be there. */
export async function startFlagger({ controlPlane }: World, namespace: string): Promise<Flagger> {
  const { [FLAGGER]: flagger } = await ensureBinaries([FLAGGER]);
  const [port = 0, nobody = 0] = await freePorts(2);
  const folder = join(controlPlane.dir, "flagger");
  await mkdir(folder, { recursive: true });
  const children = startChildren(folder);
  children.start(FLAGGER, [
    flagger,
    `-kubeconfig=${controlPlane.kubeconfigPath}`,
    `-namespace=${namespace}`,
    "-mesh-provider=kubernetes",
    `-metrics-server=http://127.0.0.1:${nobody}`,
    `-port=${port}`,
    "-log-level=info",
  ]);
  const isReady = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
    } catch {
      return false;
    }
  };
  await waitForUnless(children.failure, "Flagger", isReady, { timeoutMs: START_MS });
  return { stop: () => children.stop() };
}
