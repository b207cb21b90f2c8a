import { createProgress } from "../../cluster/progress.ts";

/** What the reader sees: chapters, commands as a user would type them, what is waited for. */
export interface Screen {
  heading(text: string): void;
  line(text?: string): void;
  /** A command and what it wrote. */
  command(text: string, output?: string): void;
  /** What goes on just now; rewritten in place on a terminal. */
  waiting(text: string): void;
}

export function createScreen(): Screen {
  const progress = createProgress(process.stdout);
  const line = (text = ""): void => progress.done(text);
  return {
    line,
    heading(text) {
      line();
      line(process.stdout.isTTY ? `\u001B[1m${text}\u001B[22m` : text);
      line();
    },
    command(text, output = "") {
      line(`  $ ${text}`);
      for (const each of output.trimEnd().split("\n")) if (each.trim() !== "") line(`    ${each.trimEnd()}`);
    },
    waiting: (text) => progress.step(`  ... ${text}`),
  };
}

/** `14:03:20` in UTC, as the operator writes times. */
export function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** `22.4%`; with more digits where a value is told from a threshold that it has hardly passed. */
export function percent(ratio: number, digits = 3): string {
  return `${Number((ratio * 100).toPrecision(digits))}%`;
}
