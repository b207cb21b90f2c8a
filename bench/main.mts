/** All figures, one line each on standard output; progress goes to standard error. `make bench ONLY=undo`. */
import { benchDetect } from "./detect.ts";
import { benchHandover } from "./handover.ts";
import { benchUndo } from "./undo.ts";

const BENCHES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  undo: () => benchUndo(),
  detect: () => benchDetect(),
  handover: () => benchHandover(),
};

const only = process.argv.slice(2);
for (const [name, bench] of Object.entries(BENCHES)) {
  if (only.length > 0 && !only.includes(name)) continue;
  for (const line of await bench()) console.log(line);
}
