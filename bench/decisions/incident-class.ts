import type { Random } from "./random.ts";
import type { Label } from "./label.ts";
import type { Stage, StageOptions } from "./stage.ts";

/** One kind of incident. */
export interface IncidentClass {
  readonly name: string;
  /** Incidents of a whole corpus. */
  readonly count: number;
  /** One line for the table: what happens, and why the label is what it is. */
  readonly story: string;
  readonly options?: (random: Random) => StageOptions;
  readonly play: (stage: Stage) => Plot;
}

export interface Plot {
  readonly label: Label;
  /** Revisions that are broken: rolling back another one is no help. */
  readonly bad?: readonly number[];
  /** By what the breach shows, where a release causes one. */
  readonly shows?: Symptom;
  /** Second at which it begins to go wrong, where something does. */
  readonly faultAt?: number;
}

export type Symptom =
  | { readonly kind: "Errors"; readonly above: number }
  | { readonly kind: "RouteErrors"; readonly path: string; readonly above: number }
  | { readonly kind: "Slowness" };
