/** Writes deploy/crds from the zod schemas; `--check` only compares and fails on a difference. */
import { readFileSync, writeFileSync } from "node:fs";
import { crdFiles } from "../src/crds/crd-files.ts";

const check = process.argv.includes("--check");
let drift = 0;
for (const [path, text] of crdFiles()) {
  if (!check) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    drift += 1;
    console.error(`${path} differs from src/crds: run "make crds"`);
  }
}
process.exitCode = drift === 0 ? 0 : 1;
