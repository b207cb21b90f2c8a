/**
 * Writes a corpus to look at: `node bench/decisions/generate.mts --seed=1 --scale=0.05 --out=DIR` puts incidents.json and
 * the blocks of Prometheus (data/) into DIR.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeBlocks } from "./blocks.ts";
import { planIncidents } from "./incident.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    scale: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
if (values.out === undefined) throw new Error("--out=DIR is missing: where the corpus goes");
await mkdir(values.out, { recursive: true });
const plans = planIncidents(Number(values.seed), Number(values.scale));
const { incidents, samples } = await writeBlocks(
  plans,
  join(values.out, "data"),
  join(values.out, "work"),
  (done, all) => process.stderr.write(`slot ${done} of ${all}\n`),
);
await writeFile(join(values.out, "incidents.json"), `${JSON.stringify(incidents, undefined, 2)}\n`);
console.log(`${incidents.length} incidents, ${samples} samples`);
