import { createHash } from "node:crypto";
import type { Selector } from "./selector.ts";

/** What a signal asks, apart from the label values that make it that of one policy. Lengths in ms. */
export type Form = RatioForm | QuantileForm;

interface CommonForm {
  /** Names of the labels that identify a target, sorted. */
  readonly labels: readonly string[];
  /** Names of the labels of whose values each has a verdict of its own, sorted. */
  readonly by: readonly string[];
  readonly windowMs: number;
}

export interface RatioForm extends CommonForm {
  readonly kind: "ratio";
  /** As the user wrote them, without the target's labels. */
  readonly bad: Selector;
  readonly total: Selector;
}

export type HistogramFormat = "Classic" | "Native";

export interface QuantileForm extends CommonForm {
  readonly kind: "quantile";
  /** A decimal number between 0 and 1. */
  readonly quantile: string;
  /** Without suffix and without the target's labels. */
  readonly histogram: Selector & { readonly metric: string };
  readonly format: HistogramFormat;
}

/** Who is asked about: for each label of the form the values that it may have; none at all matches nobody. */
export type Term = readonly (readonly string[])[];

/** One target: a value for each label of the form. */
export type Target = readonly string[];

/** Equal for forms that differ in nothing. */
export function shapeOf(form: Form): string {
  return createHash("sha256").update(JSON.stringify(form)).digest("base64url").slice(0, 22);
}

export function termOf(target: Target): Term {
  return target.map((value) => [value]);
}

/** Matches no series, whatever the server holds. */
export function nobody(labels: readonly string[]): Term {
  return labels.map(() => []);
}
