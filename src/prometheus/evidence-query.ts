import type { Form } from "./form.ts";
import { alternatives, sumOfRate } from "./promql.ts";
import { quote, writeMatcher, writeSelector, type Selector } from "./selector.ts";
import type { FormQuery } from "./signal-query.ts";

/** Tells the series of several questions in one answer apart. */
export const ROLE = "__role__";

/** Several questions in one, each of whose series has its name under ROLE. */
export function rolesOf(questions: Readonly<Record<string, string>>): string {
  return alternatives(
    Object.entries(questions).map(
      ([role, question]) => `label_replace(${question}, "${ROLE}", ${quote(role)}, "", "")`,
    ),
  );
}

/** Label values that a question is limited to. */
export type Limits = Readonly<Record<string, string>>;

/** Those of the signal's target and part. */
export function limitsOf({ form, target }: FormQuery, part: Limits): Limits {
  return { ...Object.fromEntries(form.labels.map((label, i) => [label, target[i] ?? ""])), ...part };
}

/** Adds to what the user wrote: a label may be matched twice. `more` holds matchers as they are written. */
export function limited(selector: Selector, limits: Limits, more: readonly string[] = []): string {
  const added = Object.entries(limits).map(([label, value]) => ({
    label,
    text: writeMatcher(label, [value]),
  }));
  const others = more.map((text) => ({ label: "", text }));
  return writeSelector({ ...selector, matchers: [...selector.matchers, ...added, ...others] });
}

export function suffixed<T extends Selector>(histogram: T, suffix: string): T {
  return { ...histogram, metric: `${histogram.metric ?? ""}${suffix}` };
}

/** The signal's two values by `labels`: bad and total of a ratio, value and count of a quantile. */
export function rolesBy(
  form: Form,
  labels: readonly string[],
  write: (selector: Selector) => string,
): readonly [string, string] {
  const rates = (selector: Selector, more: readonly string[] = []): string =>
    sumOfRate(write(selector), form.windowMs, [...labels, ...more]);
  if (form.kind === "ratio") return [rates(form.bad), rates(form.total)];
  const { quantile, histogram } = form;
  switch (form.format) {
    case "Classic":
      return [
        `histogram_quantile(${quantile}, ${rates(suffixed(histogram, "_bucket"), ["le"])})`,
        rates(suffixed(histogram, "_count")),
      ];
    case "Native":
      return [`histogram_quantile(${quantile}, ${rates(histogram)})`, `histogram_count(${rates(histogram)})`];
  }
}
