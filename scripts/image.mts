/**
 * Packs the operator as an OCI archive without Docker: build/image.tar, `rollback-operator:dev`. The same /app as the
 * last stage of the Dockerfile; the base differs (this Node and the shared libraries it needs, instead of distroless).
 */
import { writeNodeImage } from "../test/cluster/image.ts";

const output = "build/image.tar";
await writeNodeImage(
  {
    name: "docker.io/library/rollback-operator:dev",
    files: [
      { path: "/app/rollback-operator.mjs", from: "dist/rollback-operator.mjs", mode: 0o644 },
      { path: "/app/rollback-operator", from: "dist/rollback-operator" },
      { path: "/app/LICENSE", from: "LICENSE", mode: 0o644 },
    ],
    // What these save: docs/decisions/0011-memory.md. bin/rollback-operator has the same.
    env: { MALLOC_ARENA_MAX: "1", MALLOC_MMAP_THRESHOLD_: "65536" },
    entrypoint: [
      "/usr/bin/node",
      "--max-semi-space-size=2",
      "--optimize-for-size",
      "--no-opt",
      "--no-maglev",
      "/app/rollback-operator.mjs",
    ],
    user: "65532:65532",
  },
  output,
);
console.log(`${output}: docker.io/library/rollback-operator:dev`);
