import { copyFile, mkdir, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** An operation of a JSON Patch (RFC 6902). */
export interface PatchOperation {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

export interface Overlay {
  /** Kustomizations, or plain files, below the root of the repository. */
  readonly resources: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly patches?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly operations: readonly PatchOperation[];
  }[];
}

/** Writes a kustomization over what the repository has, for `kubectl apply -k`, and returns its folder. */
export async function writeOverlay(folder: string, overlay: Overlay): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: (await Promise.all(overlay.resources.map((resource) => resourcesAt(folder, resource)))).flat(),
    ...(overlay.labels && { labels: [{ pairs: overlay.labels }] }),
    patches: (overlay.patches ?? []).map(({ kind, name, operations }) => {
      return { target: { kind, name: `^${name}$` }, patch: JSON.stringify(operations) };
    }),
  };
  await writeFile(join(folder, "kustomization.yaml"), JSON.stringify(kustomization, undefined, 2));
  return folder;
}

/** A kustomization may lie elsewhere; plain files must lie below the folder of the one that names them. */
async function resourcesAt(folder: string, resource: string): Promise<readonly string[]> {
  if (resource.endsWith(".yaml")) {
    const name = resource.replaceAll("/", "_");
    await copyFile(resource, join(folder, name));
    return [name];
  }
  const entries = await readdir(resource);
  if (entries.includes("kustomization.yaml"))
    return [relative(await realpath(folder), await realpath(resource))];
  const files = entries.filter((entry) => entry.endsWith(".yaml")).map((entry) => join(resource, entry));
  return (await Promise.all(files.map((file) => resourcesAt(folder, file)))).flat();
}
