/** What the operator asks of ratio signals, and nothing more of PromQL. */

export interface Matcher {
  readonly label: string;
  /** Values that are named one by one; undefined where it is a pattern. */
  readonly values: readonly string[] | undefined;
  readonly matches: (value: string) => boolean;
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

/** `sum by (labels) (rate(selector[window]))`, `sum by (labels) (selector)` or `count by (labels) (selector)`. */
export interface Aggregation {
  readonly kind: "rate" | "sum" | "count";
  readonly labels: readonly string[];
  readonly selector: Selector;
  /** By a `label_replace` around it. */
  readonly added: Readonly<Record<string, string>>;
}

/**
 * Aggregations joined by `or`, in any brackets, and with labels that `label_replace` adds, left to right. Throws
 * SyntaxError on anything else.
 */
export function parseQuery(text: string): readonly Aggregation[] {
  const reader = new Reader(text);
  const found = readAlternatives(reader);
  reader.end();
  return found;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;

function readAlternatives(reader: Reader): readonly Aggregation[] {
  const found = [...readOne(reader)];
  while (reader.skip(/or\b/y)) found.push(...readOne(reader));
  return found;
}

function readOne(reader: Reader): readonly Aggregation[] {
  if (reader.skip(/\(/y)) {
    const inner = readAlternatives(reader);
    reader.expect(/\)/y);
    return inner;
  }
  if (reader.skip(/label_replace\(/y)) {
    const inner = readAlternatives(reader);
    const [label = "", value = ""] = ["label", "value", "source", "pattern"].map(() => {
      reader.expect(/,/y);
      return JSON.parse(reader.expect(STRING)) as string;
    });
    reader.expect(/\)/y);
    return inner.map((each) => ({ ...each, added: { ...each.added, [label]: value } }));
  }
  const operator = reader.expect(/sum|count/y);
  const labels = reader.skip(/by\b/y) ? readLabels(reader) : [];
  reader.expect(/\(/y);
  const isRate = reader.skip(/rate\(/y) !== undefined;
  const selector = readSelector(reader);
  if (isRate) {
    reader.expect(/\[[0-9a-z]+\]/y);
    reader.expect(/\)/y);
  }
  reader.expect(/\)/y);
  const kind = operator === "count" ? "count" : isRate ? "rate" : "sum";
  return [{ kind, labels, selector, added: {} }];
}

function readLabels(reader: Reader): readonly string[] {
  const list = reader.expect(/\([^)]*\)/y);
  return list
    .slice(1, -1)
    .split(",")
    .map((label) => label.trim())
    .filter((label) => label !== "");
}

function readSelector(reader: Reader): Selector {
  const metric = reader.expect(/[a-zA-Z_:][a-zA-Z0-9_:]*/y);
  const matchers: Matcher[] = [];
  if (!reader.skip(/\{/y)) return { metric, matchers };
  while (!reader.skip(/\}/y)) {
    const label = reader.expect(/[a-zA-Z_][a-zA-Z0-9_]*/y);
    const operator = reader.expect(/=~|!~|!=|=/y);
    const text = JSON.parse(reader.expect(STRING)) as string;
    matchers.push(matcherOf(label, operator, text));
    reader.skip(/,/y);
  }
  return { metric, matchers };
}

function matcherOf(label: string, operator: string, text: string): Matcher {
  const negated = operator.startsWith("!");
  const values = operator === "=" ? [text] : operator === "=~" ? literals(text) : undefined;
  if (values !== undefined) {
    const set = new Set(values);
    return { label, values, matches: (value) => set.has(value) };
  }
  const pattern = operator.endsWith("~") ? new RegExp(`^(?:${text})$`) : undefined;
  const isSame = (value: string) => (pattern === undefined ? value === text : pattern.test(value));
  return { label, values: undefined, matches: (value) => isSame(value) !== negated };
}

/** The values of a pattern that only lists them, escaped or not. */
function literals(pattern: string): readonly string[] | undefined {
  const parts = pattern.replace(/^\(\?:(.*)\)$/, "$1").split("|");
  const isLiteral = (part: string) => !/[.*+?()[\]{}^$]/.test(part.replaceAll(/\\./g, ""));
  return parts.every(isLiteral) ? parts.map((part) => part.replaceAll(/\\(.)/g, "$1")) : undefined;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  skip(pattern: RegExp): string | undefined {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  expect(pattern: RegExp): string {
    const found = this.skip(pattern);
    if (found === undefined) {
      throw new SyntaxError(
        `expected ${pattern.source} at ${this.#at}: ${this.#text.slice(this.#at, this.#at + 60)}`,
      );
    }
    return found;
  }

  end(): void {
    if (this.skip(/$/y) === undefined) this.expect(/$/y);
  }
}
