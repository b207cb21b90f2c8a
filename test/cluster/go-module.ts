import { resolve } from "node:path";
import { cacheFolder } from "./binaries.ts";
import { findGo } from "./go-toolchain.ts";
import { createProgress } from "./progress.ts";
import { runCommand } from "./run-command.ts";

/** Modules that are read from, never built: their versions and checksums. */
const READ_MODULES = "test/cluster/go/crds";

/**
 * Where the files of a module lie, in the version that the go.mod in `pinnedIn` pins; checked against go.sum, read only.
 */
export async function goModuleFolder(module: string, pinnedIn = READ_MODULES): Promise<string> {
  const go = await findGo(cacheFolder(), createProgress());
  // A workspace or flags of the user's own environment must not change what is read.
  const env = { ...process.env, GOFLAGS: "-mod=readonly", GOWORK: "off" };
  const answer = await runCommand([go, "mod", "download", "-json", module], {
    cwd: resolve(pinnedIn),
    env,
  });
  const { Dir } = JSON.parse(answer) as { readonly Dir?: string };
  if (Dir === undefined) throw new Error(`go mod download ${module} names no folder: ${answer}`);
  return Dir;
}
