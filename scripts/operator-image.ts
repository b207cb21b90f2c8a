import type { NodeImageSpec } from "../test/cluster/image.ts";

/** The operator's image under a name: the same /app and start as the last stage of the Dockerfile. */
export function operatorImage(name: string): NodeImageSpec {
  return {
    name,
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
  };
}
