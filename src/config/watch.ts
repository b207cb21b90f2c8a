import { readFile } from "node:fs/promises";
import { ConfigError, parseConfig } from "./load.ts";
import type { OperatorConfig } from "./schema.ts";

/** How often the file is read, ms. A mounted ConfigMap takes up to a minute to change anyway. */
const POLL_MS = 2_000;

export interface ConfigWatch {
  readonly path: string;
  readonly clock: { sleep(ms: number, signal: AbortSignal): Promise<void> };
  /** A valid file whose content is new. The first content that is seen counts as new. */
  readonly onFile: (config: OperatorConfig) => void;
  /** A file that cannot be used; the same problem is told once. */
  readonly onProblem: (error: ConfigError) => void;
}

/**
 * Follows the configuration file until the signal aborts, by reading it: a mounted ConfigMap changes by a swap of the
 * symbolic link `..data`, which file watchers see as a deletion, or not at all. Content that is not the same in two
 * reads in a row is still being written, and waits: half a file can be valid YAML.
 */
export async function watchConfig(watch: ConfigWatch, signal: AbortSignal): Promise<void> {
  let taken: string | undefined;
  let before: string | undefined;
  while (!signal.aborted) {
    const seen = await read(watch.path);
    const isSettled = seen === before;
    before = seen;
    if (isSettled && seen !== taken) {
      taken = seen;
      take(watch, seen);
    }
    await watch.clock.sleep(POLL_MS, signal).catch(() => undefined);
  }
}

/** The file's text after a `+`, or after a `-` why it cannot be read. */
async function read(path: string): Promise<string> {
  try {
    return `+${await readFile(path, "utf8")}`;
  } catch (error) {
    return `-${error instanceof Error ? error.message : String(error)}`;
  }
}

function take({ path, onFile, onProblem }: ConfigWatch, seen: string): void {
  const text = seen.slice(1);
  if (seen.startsWith("-")) return onProblem(new ConfigError(`cannot read ${path}: ${text}`, [text]));
  let config: OperatorConfig;
  try {
    config = parseConfig(text, path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return onProblem(error);
  }
  onFile(config);
}
