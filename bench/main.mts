/**
 * All figures, one line each on standard output; progress goes to standard error. `make bench ONLY=undo`. The big
 * cluster of `memory`, the numbers of `scale`, the day of `soak` and the corpus of `decisions` can be made smaller: `make bench
 * ONLY="memory --scale=0.1"`; of `scale` single stages can be run: `--stage=10`, `1000`, `5000`, `10000`. `--seed`
 * chooses the corpus, `--incidents=PREFIX` some of its incidents.
 */
import { parseArgs } from "node:util";
import { benchDecisions } from "./decisions/bench-decisions.ts";
import { benchDetect } from "./detect.ts";
import { benchHandover } from "./handover.ts";
import { benchMemory } from "./memory/bench-memory.ts";
import { benchScale } from "./scale/bench-scale.ts";
import { benchSoak } from "./soak/bench-soak.ts";
import { benchUndo } from "./undo.ts";

const { positionals: only, values } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    incidents: { type: "string" },
    stage: { type: "string", multiple: true, default: [] },
  },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1)) throw new RangeError(`--scale=${values.scale}: a number above 0, at most 1`);
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed)) throw new RangeError(`--seed=${values.seed}: a whole number`);

const BENCHES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  undo: () => benchUndo(),
  detect: () => benchDetect(),
  handover: () => benchHandover(),
  decisions: () => benchDecisions({ seed, scale, only: values.incidents }),
  memory: () => benchMemory(scale),
  scale: () => benchScale(scale, values.stage),
  soak: () => benchSoak(Math.max(4, Math.round(24 * scale))),
};

for (const [name, bench] of Object.entries(BENCHES)) {
  if (only.length > 0 && !only.includes(name)) continue;
  for (const line of await bench()) console.log(line);
}
