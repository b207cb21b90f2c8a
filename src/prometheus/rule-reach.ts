import type { AlertingRule } from "./rules-answer.ts";
import { fixedValues } from "./selector.ts";

/** For every selector of a query the values that it fixes the label to. */
type Fixed = ReturnType<typeof fixedValues>;

/** Tells which rules can never make an alert that has a label of a certain value. Each query is parsed once. */
export class RuleReach {
  readonly #label: string;
  readonly #fixed = new WeakMap<AlertingRule, Fixed>();

  constructor(label: string) {
    this.#label = label;
  }

  /** Whether the rule is hard-wired to another value; false where that is not plain. */
  isElsewhere(rule: AlertingRule, value: string): boolean {
    // A label of the rule replaces that of the series, so the query says nothing beside it.
    const own = rule.labels.get(this.#label);
    if (own !== undefined) return own !== value && !own.includes("{{");
    const fixed = this.#fixedBy(rule);
    return fixed.length > 0 && fixed.every((values) => values.some((other) => other !== value));
  }

  #fixedBy(rule: AlertingRule): Fixed {
    const known = this.#fixed.get(rule);
    if (known !== undefined) return known;
    const fixed = fixedValues(rule.query, this.#label);
    this.#fixed.set(rule, fixed);
    return fixed;
  }
}
