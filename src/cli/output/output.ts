import { coloursOf, wantsColours, type Colours } from "./colours.ts";

/** Where a command writes. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly colours: Colours;
  /** One line of standard output. */
  line(text: string): void;
  lines(texts: readonly string[]): void;
  /** A line that may be written anew by the next `replace`: in place on a terminal, below it elsewhere. */
  replace(text: string, isAnew: boolean): void;
  /** Text for programs, as it is. */
  raw(text: string): void;
  /** One line of standard error. */
  note(text: string): void;
}

/** The part of a stream that is needed here. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const CURSOR_UP_AND_CLEAR = "\u001B[1A\u001B[2K";

export function createOutput(
  stdout: Sink,
  stderr: Sink,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const isTerminal = stdout.isTTY === true;
  const line = (text: string) => void stdout.write(`${printable(text)}\n`);
  return {
    colours: coloursOf(wantsColours(isTerminal, env)),
    line,
    lines: (texts) => texts.forEach(line),
    replace(text, isAnew) {
      if (!isTerminal) return line(text);
      // A line that wraps is two lines for the cursor.
      const columns = (stdout.columns ?? 80) - 1;
      const fitting = text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
      stdout.write(`${isAnew ? CURSOR_UP_AND_CLEAR : ""}${printable(fitting)}\n`);
    },
    raw: (text) => void stdout.write(text),
    note: (text) => void stderr.write(`${printable(text)}\n`),
  };
}

/** Written together so that colours pass, and all else that moves a cursor or turns text around does not. */
const ESCAPE = "\u001B";
const CONTROLS = new RegExp(`${ESCAPE}\\[\\d+m|[\\p{Cc}\\p{Bidi_Control}]`, "gu");

/** The text as one line: a reason that somebody stored in the cluster must not move the cursor of its reader. */
function printable(text: string): string {
  return text.replaceAll(CONTROLS, (found) => (found.length > 1 ? found : " "));
}
