import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterLayout } from "../cluster/cluster-layout.ts";
import { loadImage, writeNodeImage } from "../cluster/image.ts";
import type { Progress } from "../cluster/progress.ts";
import { runCommand } from "../cluster/run-command.ts";
import { type DemoLayout, RELEASES } from "./demo-layout.ts";

const SERVER = "test/demo/app/web-server.mts";
const OPERATOR_FILES = ["dist/rollback-operator.mjs", "scripts/image.mts"];

/** Packs operator and sample application and hands them to the node, unless it has these very ones. */
export async function loadImages(
  cluster: ClusterLayout,
  demo: DemoLayout,
  progress: Progress,
): Promise<void> {
  const marker = join(demo.dir, "images");
  const wanted = fingerprint();
  if (existsSync(marker) && readFileSync(marker, "utf8") === wanted) return;
  progress.step("packing and loading the operator's image (make image)");
  await runCommand([process.execPath, "scripts/image.mts"]);
  await loadImage(cluster, "build/image.tar");
  for (const { version, image, failRatio } of RELEASES) {
    progress.step(`packing and loading image ${image}`);
    const archive = join(demo.dir, `web-${version}.tar`);
    try {
      await writeNodeImage(
        {
          name: image,
          files: [{ path: "/app/web-server.mts", from: SERVER, mode: 0o644 }],
          entrypoint: ["/usr/bin/node", "/app/web-server.mts"],
          env: { VERSION: version, FAIL_RATIO: String(failRatio) },
          user: "65532:65532",
        },
        archive,
      );
      await loadImage(cluster, archive);
    } finally {
      await rm(archive, { force: true });
    }
  }
  writeFileSync(marker, wanted);
}

function fingerprint(): string {
  const hash = createHash("sha256").update(JSON.stringify(RELEASES));
  for (const file of [SERVER, ...OPERATOR_FILES]) hash.update(readFileSync(file));
  // The image's Node is the one that runs this.
  return hash.update(`${process.version} ${statSync(process.execPath).size}`).digest("hex");
}
