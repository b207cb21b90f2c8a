import { styleText } from "node:util";

type Paint = (text: string) => string;

export interface Colours {
  readonly good: Paint;
  readonly bad: Paint;
  readonly doubtful: Paint;
  readonly dim: Paint;
}

const plain: Paint = (text) => text;

/** Whether to colour: only on a terminal that can, and not against the user's wish (no-color.org). */
export function wantsColours(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

export function coloursOf(enabled: boolean): Colours {
  if (!enabled) return { good: plain, bad: plain, doubtful: plain, dim: plain };
  const paint = (style: "green" | "red" | "yellow" | "dim"): Paint => {
    return (text) => styleText(style, text, { validateStream: false });
  };
  return { good: paint("green"), bad: paint("red"), doubtful: paint("yellow"), dim: paint("dim") };
}
