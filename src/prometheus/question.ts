import { badProofs } from "./bad-proof.ts";
import type { Form, QuantileForm, RatioForm, Term } from "./form.ts";
import { alternatives, countBy, histogramQuantile, sumOfRate } from "./promql.ts";
import { writeMatcher, writeSelector, type Selector } from "./selector.ts";

/** The two queries of a form: bad and total of a ratio, value and count of a quantile. */
export function writeRoles(form: Form, terms: readonly Term[]): readonly [string, string] {
  const labels = [...form.labels, ...form.by];
  const rates = (selector: Selector, more: readonly string[] = []) =>
    alternatives(
      terms.map((term) => sumOfRate(narrowed(form, selector, term), form.windowMs, [...labels, ...more])),
    );
  if (form.kind === "ratio") return [rates(form.bad), rates(form.total)];
  const { histogram, format, quantile } = form;
  switch (format) {
    case "Classic":
      return [
        histogramQuantile(quantile, rates(suffixed(histogram, "_bucket"), ["le"])),
        rates(suffixed(histogram, "_count")),
      ];
    case "Native": {
      const sum = rates(histogram);
      return [histogramQuantile(quantile, sum), `histogram_count(${sum})`];
    }
  }
}

/** One series per target and bucket bound of a classic histogram. */
export function writeBuckets({ histogram, labels }: QuantileForm, terms: readonly Term[]): string {
  const buckets = suffixed(histogram, "_bucket");
  return alternatives(terms.map((term) => countBy([...labels, "le"], narrowed({ labels }, buckets, term))));
}

/** What has to be seen of a target before "no bad series" may be read as zero: one series for each that has it. */
export function writeProofs(form: RatioForm, terms: readonly Term[]): readonly string[] {
  return badProofs(form).map(({ places }) =>
    alternatives(
      places.flatMap((place) => terms.map((term) => countBy(form.labels, narrowed(form, place, term)))),
    ),
  );
}

/** For people: what is missing where a proof was not seen. */
export function missingProof(form: RatioForm, index: number, term: Term): string {
  const proof = badProofs(form)[index];
  return proof === undefined ? "" : proof.missing((selector) => narrowed(form, selector, term));
}

/** A selector limited to some targets; a label that the user wrote himself stays as it is. */
function narrowed({ labels }: Pick<Form, "labels">, selector: Selector, term: Term): string {
  const added = labels.flatMap((label, index) =>
    selector.matchers.some((own) => own.label === label)
      ? []
      : [{ label, text: writeMatcher(label, term[index] ?? []) }],
  );
  return writeSelector({ ...selector, matchers: [...selector.matchers, ...added] });
}

function suffixed(histogram: QuantileForm["histogram"], suffix: string): Selector {
  return { ...histogram, metric: `${histogram.metric}${suffix}` };
}
