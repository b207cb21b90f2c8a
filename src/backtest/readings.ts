import { WHOLE, type Reading, type Sample } from "../decision/sample.ts";
import type { PastReading, SignalSource, SignalSubject } from "../signals/source.ts";
import { BacktestError } from "./backtest-error.ts";

export interface NamedSource {
  readonly name: string;
  readonly source: SignalSource;
}

/** What a signal gave at each instant of a stretch of the past. */
export type PastReadings =
  | { readonly kind: "Read"; readonly at: (instant: number) => Reading }
  /** Nobody keeps the history of this signal. */
  | { readonly kind: "NoMemory" };

/**
 * Reads a signal as it was from `start` to `end`, both included (ms since the epoch). A server that fails is asked once
 * more, then this throws BacktestError with its words.
 */
export async function readPast(
  { name, source }: NamedSource,
  { start, end, stepMs }: { readonly start: number; readonly end: number; readonly stepMs: number },
  subject: SignalSubject,
  signal: AbortSignal,
): Promise<PastReadings> {
  const ask = () => source.readPast(start, end, stepMs, signal, subject);
  let past = await ask();
  if (past.kind === "Failed") past = await ask();
  switch (past.kind) {
    case "NoMemory":
      return past;
    case "Read":
      return { kind: "Read", at: readingsOf(past) };
    case "Failed":
      throw new BacktestError(
        `signal ${name} could not be read from ${clock(start)} to ${clock(end)}: ${await whyNot(source, end, subject, signal)}`,
      );
  }
}

/** A range that fails has no words of its own; an instant has. */
async function whyNot(
  source: SignalSource,
  at: number,
  subject: SignalSubject,
  signal: AbortSignal,
): Promise<string> {
  const reading = await source.read(at, subject, signal);
  return reading.kind === "Error" ? reading.detail : "the server refuses the range";
}

/** The same readings that asking at each instant would have given: a part without a series is not among the parts. */
function readingsOf({
  parts,
}: Extract<PastReading, { readonly kind: "Read" }>): (instant: number) => Reading {
  const whole = parts.get(WHOLE);
  if (whole !== undefined) {
    const samples = new Map(whole.map(({ at, sample }) => [at, sample]));
    return (instant) => samples.get(instant) ?? UNREAD;
  }
  const instants = new Map<number, Map<string, Sample>>();
  for (const [part, samples] of parts) {
    for (const { at, sample } of samples) {
      if (sample.kind === "NoData") continue;
      const here = instants.get(at) ?? new Map<string, Sample>();
      instants.set(at, here.set(part, sample));
    }
  }
  return (instant) => ({ kind: "Split", parts: instants.get(instant) ?? new Map<string, Sample>() });
}

const UNREAD: Sample = { kind: "NoData", detail: "nothing was read for this instant" };

function clock(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
