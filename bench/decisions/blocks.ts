import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promtool } from "../../test/support/prometheus.ts";
import { playIncident, type Incident, type IncidentPlan } from "./incident.ts";
import { BLOCK_SECONDS } from "./stage.ts";

const CHUNK_CHARACTERS = 1 << 20;

/** Plays incidents and writes their metrics into `dataDir` as blocks of Prometheus, two hours each. */
export async function writeBlocks(
  plans: readonly IncidentPlan[],
  dataDir: string,
  workDir: string,
  onSlot: (done: number, all: number) => void,
): Promise<{ readonly incidents: readonly Incident[]; readonly samples: number }> {
  mkdirSync(workDir, { recursive: true });
  const slots = [...Map.groupBy(plans, ({ slot }) => slot)].toSorted(([a], [b]) => a - b);
  const incidents: Incident[] = [];
  let samples = 0;
  /** promtool works on one slot while the next one is played. */
  let importing: Promise<void> = Promise.resolve();
  for (const [index, [slot, list]] of slots.entries()) {
    const files = new BlockFiles(join(workDir, `slot-${slot}`));
    for (const plan of list) incidents.push(playIncident(plan, files.emit));
    samples += files.samples;
    await importing;
    importing = files.import(dataDir);
    // Not before it is awaited: a failure must not end the process meanwhile.
    importing.catch(() => undefined);
    onSlot(index + 1, slots.length);
    // Lets the import begin before the next slot keeps this thread busy.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await importing;
  return { incidents, samples };
}

/** Samples as OpenMetrics text, one file a block: promtool reads its whole file again for every block in it. */
class BlockFiles {
  readonly #dir: string;
  readonly #files = new Map<number, { readonly descriptor: number; text: string }>();
  samples = 0;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  readonly emit = (series: string, value: number, at: number): void => {
    const start = Math.floor(at / BLOCK_SECONDS) * BLOCK_SECONDS;
    let file = this.#files.get(start);
    if (file === undefined) {
      file = { descriptor: openSync(this.#path(start), "w"), text: "" };
      this.#files.set(start, file);
    }
    file.text += `${series} ${value} ${at.toFixed(3)}\n`;
    this.samples += 1;
    if (file.text.length < CHUNK_CHARACTERS) return;
    writeSync(file.descriptor, file.text);
    file.text = "";
  };

  async import(dataDir: string): Promise<void> {
    for (const [start, { descriptor, text }] of this.#files) {
      writeSync(descriptor, `${text}# EOF\n`);
      closeSync(descriptor);
      await promtool(["tsdb", "create-blocks-from", "openmetrics", this.#path(start), dataDir, "--quiet"]);
      rmSync(this.#path(start));
    }
    rmSync(this.#dir, { recursive: true });
  }

  #path(start: number): string {
    return join(this.#dir, `${start}.om`);
  }
}
