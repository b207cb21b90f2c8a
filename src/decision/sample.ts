/**
 * One measurement of one signal. Only exactly one finite, fresh number with enough traffic is a Value;
 * every other class is "no verdict" and never moves a window towards firing.
 */
export type Sample = ValueSample | UnknownSample;

export interface ValueSample {
  readonly kind: "Value";
  /** In the signal's base unit: ratio 0..1, seconds, or a plain count. */
  readonly value: number;
  /** Requests seen in the window; absent where the source has no such notion. */
  readonly requests?: number;
  /** Something a person should see beside the value, e.g. that no bad series exists yet. */
  readonly note?: string;
}

export interface UnknownSample {
  readonly kind: UnknownKind;
  /** For people: what was missing, without credentials. */
  readonly detail: string;
  /** The server says that the query itself is wrong; waiting does not mend it. */
  readonly isInvalidQuery?: true;
}

export type UnknownKind =
  "NoData" | "Stale" | "NaN" | "InsufficientTraffic" | "Unproven" | "Ambiguous" | "Error";

/** What a signal gave at one instant: one sample, or with `by` one for each label value. */
export type Reading = Sample | SplitReading;

export interface SplitReading {
  readonly kind: "Split";
  /** Samples by their part, such as `route=/models`. */
  readonly parts: ReadonlyMap<string, Sample>;
  /** Something that a person should see beside them, e.g. how many parts were left out. */
  readonly note?: string;
}

/** The part of a reading that is one sample. */
export const WHOLE = "";

/** How a signal stands as a whole: any of its parts that has a value shows that it can be measured. */
export function overall(reading: Reading): Sample {
  if (reading.kind !== "Split") return reading;
  const samples = [...reading.parts.values()];
  const known = samples.find(({ kind }) => kind === "Value") ?? samples[0];
  return known ?? { kind: "NoData", detail: "no label value has a series" };
}

/** A sample and the instant it speaks about (ms since the epoch). */
export interface TimedSample {
  readonly at: number;
  readonly sample: Sample;
}

export type Verdict = "Breach" | "Ok" | "None";
