import { countWithLabel } from "./promql.ts";
import { addMatchers, quote, writeSelector, type Matchers, type Selector } from "./selector.ts";

/** Something that must exist on the server, so that a typing error in `bad` cannot look like health. */
export interface Proof {
  /** Query whose answer is empty as long as it was not seen. */
  readonly query: string;
  /** For people, when it is missing. */
  readonly missing: string;
}

/**
 * What the `bad` selector names and `total` does not: each such label must occur on some series of `total`, or of
 * the metric of `bad`; a metric of its own must exist. Values are not looked at: a status that never happened is zero.
 */
export function badProof(bad: Selector, total: Selector, matchers: Matchers): readonly Proof[] {
  const ownMetric = bad.metric !== undefined && bad.metric !== total.metric;
  const own = addMatchers({ metric: bad.metric, matchers: [] }, matchers);
  const places = ownMetric && own.kind === "Parsed" ? [total, own.value] : [total];
  const labels = new Set(bad.matchers.map(({ label }) => label).filter((label) => label !== "__name__"));
  const proofs = [...labels]
    .filter((label) => !(label in matchers))
    .map((label) => ({
      query: places.map((place) => countWithLabel(withLabel(place, label))).join(" or "),
      missing: `no series of ${writeSelector(total)} has the label "${label}" that ratio.bad names`,
    }));
  if (!ownMetric || own.kind !== "Parsed") {
    return proofs;
  }
  const metric = {
    query: countWithLabel(writeSelector(own.value)),
    missing: `${writeSelector(own.value)} has no series`,
  };
  return [metric, ...proofs];
}

function withLabel(selector: Selector, label: string): string {
  const name = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quote(label);
  const text = `${name}!=""`;
  return writeSelector({ ...selector, matchers: [...selector.matchers, { label, text }] });
}
