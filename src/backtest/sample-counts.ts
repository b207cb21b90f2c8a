import type { RowEvaluation } from "../decision/matrix.ts";
import { WHOLE, type Reading } from "../decision/sample.ts";
import type { SampleClass } from "./report.ts";

/** Counts samples by what they said; every part of a split signal is a sample of its own. */
export class SampleCounts {
  readonly samples: Record<SampleClass, number> = {
    Ok: 0,
    Breach: 0,
    InsufficientTraffic: 0,
    NoData: 0,
    Stale: 0,
    NaN: 0,
    Unproven: 0,
    Ambiguous: 0,
    Error: 0,
  };

  add(readings: ReadonlyMap<string, Reading>, evaluations: readonly RowEvaluation[]): void {
    const breaching = new Set(
      evaluations
        .filter(({ verdict }) => verdict === "Breach")
        .map(({ row, part }) => `${row.signal}\n${part}`),
    );
    for (const [signal, reading] of readings) {
      const parts = reading.kind === "Split" ? reading.parts : new Map([[WHOLE, reading]]);
      if (parts.size === 0) this.samples.NoData += 1;
      for (const [part, { kind }] of parts) {
        const isBreach = breaching.has(`${signal}\n${part}`);
        this.samples[kind === "Value" ? (isBreach ? "Breach" : "Ok") : kind] += 1;
      }
    }
  }
}
