import type { RatioForm } from "./form.ts";
import { quote, type Selector } from "./selector.ts";

/** Something that must exist on the server, so that a typing error in `bad` cannot look like health. */
export interface Proof {
  /** A series of one of these is enough. */
  readonly places: readonly Selector[];
  /** For people, when it is missing; `write` gives a selector as it stands for their target. */
  missing(write: (selector: Selector) => string): string;
}

/**
 * What the `bad` selector names and `total` does not: each such label must occur on some series of `total`, or of
 * the metric of `bad`; a metric of its own must exist. Values are not looked at: a status that never happened is zero.
 */
export function badProofs({ bad, total, labels }: RatioForm): readonly Proof[] {
  const hasOwnMetric = bad.metric !== undefined && bad.metric !== total.metric;
  const own: readonly Selector[] = hasOwnMetric ? [{ metric: bad.metric, matchers: [] }] : [];
  const named = new Set(bad.matchers.map(({ label }) => label).filter((label) => label !== "__name__"));
  const ofMetric = own.map((metric) => ({
    places: [metric],
    missing: (write: (selector: Selector) => string) => `${write(metric)} has no series`,
  }));
  const ofLabels = [...named]
    .filter((label) => !labels.includes(label))
    .map((label) => ({
      places: [total, ...own].map((place) => withLabel(place, label)),
      missing: (write: (selector: Selector) => string) =>
        `no series of ${write(total)} has the label "${label}" that ratio.bad names`,
    }));
  return [...ofMetric, ...ofLabels];
}

function withLabel(selector: Selector, label: string): Selector {
  const name = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quote(label);
  const text = `${name}!=""`;
  return { ...selector, matchers: [...selector.matchers, { label, text }] };
}
