import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterLayout } from "../cluster/cluster-layout.ts";
import { loadImage, type NodeImageSpec, writeNodeImage } from "../cluster/image.ts";
import type { Progress } from "../cluster/progress.ts";
import { runCommand } from "../cluster/run-command.ts";
import { type DemoLayout, type Release, RELEASES } from "./demo-layout.ts";

const SERVER = "test/demo/app/web-server.mts";
const TOOLS = ["traffic.mts", "gateway.mts", "pod-targets.mts", "scrape-target.ts"].map(
  (name) => [name, `test/demo/processes/${name}`] as const,
);
const OPERATOR_FILES = ["dist/rollback-operator.mjs", "scripts/operator-image.ts"];
const FOLDER = "build/demo-images";

export interface PackedImage {
  /** As a pod names it. */
  readonly image: string;
  /** OCI archive, relative to the root of the repository. */
  readonly archive: string;
}

const OPERATOR: PackedImage = { image: "rollback-operator:dev", archive: "build/image.tar" };
const WEB = RELEASES.map(({ version, image }): PackedImage => {
  return { image, archive: join(FOLDER, `web-${version}.tar`) };
});
const DEMO_TOOLS: PackedImage = {
  image: "localhost/demo-tools:dev",
  archive: join(FOLDER, "demo-tools.tar"),
};

/** What a cluster of the user's own must have: operator, sample application, traffic and service discovery. */
export const CONTEXT_IMAGES: readonly PackedImage[] = [OPERATOR, ...WEB, DEMO_TOOLS];

/** Packs operator and sample application and hands them to the node, unless it has these very ones. */
export async function loadImages(
  cluster: ClusterLayout,
  demo: DemoLayout,
  progress: Progress,
): Promise<void> {
  await packImages([OPERATOR, ...WEB], progress);
  const marker = join(demo.dir, "images");
  const wanted = fingerprint();
  if (existsSync(marker) && readFileSync(marker, "utf8") === wanted) return;
  for (const { image, archive } of [OPERATOR, ...WEB]) {
    progress.step(`loading image ${image}`);
    await loadImage(cluster, archive);
  }
  await writeFile(marker, wanted);
}

/** Writes the archives, unless these very ones are there. */
export async function packImages(images: readonly PackedImage[], progress: Progress): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const wanted = fingerprint();
  for (const packed of images) {
    const marker = join(FOLDER, `${packed.image.replaceAll(/[/:]/g, "_")}.packed`);
    const isThere = existsSync(packed.archive) && existsSync(marker);
    if (isThere && readFileSync(marker, "utf8") === `${wanted} ${statSync(packed.archive).mtimeMs}`) continue;
    progress.step(`packing image ${packed.image}`);
    if (packed === OPERATOR) await runCommand([process.execPath, "scripts/image.mts"]);
    else await writeNodeImage(specOf(packed), packed.archive);
    await writeFile(marker, `${wanted} ${statSync(packed.archive).mtimeMs}`);
  }
}

function specOf({ image }: PackedImage): NodeImageSpec {
  const release = RELEASES.find((each) => each.image === image);
  return release === undefined ? toolsImage() : webImage(release);
}

function webImage({ version, image, failRatio }: Release): NodeImageSpec {
  return {
    name: image,
    files: [{ path: "/app/web-server.mts", from: SERVER, mode: 0o644 }],
    entrypoint: ["/usr/bin/node", "/app/web-server.mts"],
    env: { VERSION: version, FAIL_RATIO: String(failRatio) },
    user: "65532:65532",
  };
}

function toolsImage(): NodeImageSpec {
  return {
    name: DEMO_TOOLS.image,
    files: TOOLS.map(([name, from]) => ({ path: `/app/${name}`, from, mode: 0o644 })),
    entrypoint: ["/usr/bin/node"],
    user: "65532:65532",
  };
}

/** Packs one release and hands it to the node; the archive is made in `folder` for that time. */
export async function loadRelease(cluster: ClusterLayout, release: Release, folder: string): Promise<void> {
  const archive = join(folder, `web-${release.version}.tar`);
  try {
    await writeNodeImage(webImage(release), archive);
    await loadImage(cluster, archive);
  } finally {
    await rm(archive, { force: true });
  }
}

function fingerprint(): string {
  const hash = createHash("sha256").update(JSON.stringify(RELEASES));
  const files = [SERVER, ...TOOLS.map(([, from]) => from), ...OPERATOR_FILES];
  for (const file of files) hash.update(readFileSync(file));
  // The images' Node is the one that runs this.
  return hash.update(`${process.version} ${statSync(process.execPath).size}`).digest("hex");
}
