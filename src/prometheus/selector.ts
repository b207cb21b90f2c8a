import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

/** Equality matchers by label name; their values are escaped when they are written. */
export type Matchers = Readonly<Record<string, string>>;

export type Parsed<T> =
  { readonly kind: "Parsed"; readonly value: T } | { readonly kind: "Refused"; readonly message: string };

/** A plain vector selector. */
export interface Selector {
  /** Metric name as the user wrote it before the braces; undefined when it is a matcher on `__name__`. */
  readonly metric: string | undefined;
  /** The matchers as written, without braces. */
  readonly matchers: readonly Matcher[];
}

interface Matcher {
  readonly label: string;
  readonly text: string;
}

/** Reads a vector selector; functions, ranges, `offset`, `@`, parentheses and comments are refused. */
export function parseSelector(text: string): Parsed<Selector> {
  const tree = parsePromQl(text);
  if (tree.kind === "Refused") {
    return tree;
  }
  const root = tree.value.topNode.firstChild;
  if (root === null || root.name !== "VectorSelector") {
    return refused(
      `"${text}" must be a plain vector selector such as http_requests_total{status=~"5.."}: no functions, ranges, offset or @`,
    );
  }
  return readSelector(root, text);
}

/** Adds matchers. A label that the selector already matches is refused, unless it is the same equality. */
export function addMatchers(selector: Selector, added: Matchers): Parsed<Selector> {
  const matchers = [...selector.matchers];
  for (const [label, value] of Object.entries(added)) {
    const text = writeMatcher(label, [value]);
    const own = selector.matchers.filter((matcher) => matcher.label === label);
    if (own.some((matcher) => matcher.text !== text)) {
      return refused(
        `the label "${label}" is set to "${value}" for this policy; remove it from the selector`,
      );
    }
    if (own.length === 0) {
      matchers.push({ label, text });
    }
  }
  return { kind: "Parsed", value: { ...selector, matchers } };
}

export function writeSelector({ metric, matchers }: Selector): string {
  const inner = matchers.map(({ text }) => text).join(",");
  return inner === "" ? (metric ?? "{}") : `${metric ?? ""}{${inner}}`;
}

/** A free query with matchers forced into every one of its selectors. */
export interface ForcedQuery {
  readonly query: string;
  /** Its distinct selectors, forced. */
  readonly selectors: readonly string[];
}

/** Refuses what reads series without a selector that could be forced (`info`), and a query that reads none. */
export function forceMatchers(query: string, forced: Matchers): Parsed<ForcedQuery> {
  const tree = parsePromQl(query);
  if (tree.kind === "Refused") {
    return tree;
  }
  const nodes = nodesNamed(tree.value, "VectorSelector");
  if (nodes.length === 0) {
    return refused(`the query "${query}" reads no series`);
  }
  // info() joins every info metric of the server by itself, whatever its selectors say.
  if (nodesNamed(tree.value, "Info").length > 0) {
    return refused("info() cannot be limited to the policy's namespace");
  }
  let text = "";
  let end = 0;
  const selectors = new Set<string>();
  for (const node of nodes) {
    const selector = readSelector(node, query);
    const withForced = selector.kind === "Parsed" ? addMatchers(selector.value, forced) : selector;
    if (withForced.kind === "Refused") {
      return withForced;
    }
    const written = writeSelector(withForced.value);
    selectors.add(written);
    text += query.slice(end, node.from) + written;
    end = node.to;
  }
  return { kind: "Parsed", value: { query: text + query.slice(end), selectors: [...selectors] } };
}

/**
 * For every selector of the query the values that it fixes the label to by `=`. Empty where that says nothing about the
 * label of the result: the query cannot be read, or may write the label itself (`label_replace`, `count_values`, `info`).
 * A value that would need unescaping is left out.
 */
export function fixedValues(query: string, label: string): readonly (readonly string[])[] {
  const tree = parsePromQl(query);
  if (tree.kind === "Refused" || nodesNamed(tree.value, "Info").length > 0) return [];
  if (nodesNamed(tree.value, "StringLiteral").some((node) => mayBeWritten(node, query, label))) return [];
  return nodesNamed(tree.value, "VectorSelector").map((node) => {
    const braces = node.getChild("LabelMatchers");
    const unquoted = braces?.getChildren("UnquotedLabelMatcher") ?? [];
    const quoted = braces?.getChildren("QuotedLabelMatcher") ?? [];
    return [...unquoted, ...quoted]
      .filter((matcher) => labelOf(matcher, query) === label)
      .flatMap((matcher) => equalityOf(matcher, query) ?? []);
  });
}

/** A string that is an argument, and may be the name of the label that a function writes. */
function mayBeWritten(node: SyntaxNode, text: string, label: string): boolean {
  const around = node.parent?.name ?? "";
  if (around.endsWith("LabelMatcher") || around === "QuotedLabelName") return false;
  return text.slice(node.from + 1, node.to - 1) === label;
}

/**
 * The tree, refused on any syntax error. Also refused is all that this grammar could read in another way than the
 * server does, because a selector hidden there would not be forced: the server ends a comment at a carriage return,
 * the grammar does not; the grammar accepts a string without its closing quote.
 */
function parsePromQl(text: string): Parsed<Tree> {
  if (/[^\P{Cc}\n\t]/u.test(text)) {
    return refused("the query contains a control character");
  }
  const tree = parser.parse(text);
  let problem: string | undefined;
  tree.iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) {
        problem ??= `"${text}" is not valid PromQL, at character ${from + 1}`;
      } else if (type.name === "LineComment") {
        problem ??= "comments are not allowed in a query";
      } else if (type.name === "StringLiteral" && (to - from < 2 || text[from] !== text[to - 1])) {
        problem ??= `"${text}" has a string without its closing quote, at character ${from + 1}`;
      }
    },
  });
  return problem === undefined ? { kind: "Parsed", value: tree } : refused(problem);
}

function readSelector(node: SyntaxNode, text: string): Parsed<Selector> {
  const identifier = node.getChild("Identifier");
  const braces = node.getChild("LabelMatchers");
  const matchers: Matcher[] = [];
  for (let child = braces?.firstChild ?? null; child !== null; child = child.nextSibling) {
    const label = labelOf(child, text);
    if (label === undefined) {
      return refused(`"${text.slice(node.from, node.to)}": a quoted name must not contain a backslash`);
    }
    matchers.push({ label, text: normalised(child, label, text) });
  }
  const metric = identifier === null ? undefined : text.slice(identifier.from, identifier.to);
  return { kind: "Parsed", value: { metric, matchers } };
}

/** The label that a matcher is on; a quoted name alone is the metric's. Undefined when it would need unescaping. */
function labelOf(matcher: SyntaxNode, text: string): string | undefined {
  if (matcher.name === "QuotedLabelName") {
    return "__name__";
  }
  const bare = matcher.getChild("LabelName");
  if (bare !== null) {
    return text.slice(bare.from, bare.to);
  }
  const quoted = matcher.getChild("QuotedLabelName");
  const name = quoted === null ? "" : text.slice(quoted.from + 1, quoted.to - 1);
  return name === "" || name.includes("\\") ? undefined : name;
}

/** An equality in our own writing, so that equal matchers are equal texts; everything else as it stands. */
function normalised(matcher: SyntaxNode, label: string, text: string): string {
  const value = matcher.getChild("LabelName") === null ? undefined : equalityOf(matcher, text);
  return value === undefined ? text.slice(matcher.from, matcher.to) : writeMatcher(label, [value]);
}

/** The value that a matcher is an equality with; undefined for another matcher, and when it would need unescaping. */
function equalityOf(matcher: SyntaxNode, text: string): string | undefined {
  const op = matcher.getChild("MatchOp");
  const value = matcher.getChild("StringLiteral");
  if (op === null || value === null || text.slice(op.from, op.to) !== "=") return undefined;
  const inner = text.slice(value.from + 1, value.to - 1);
  return inner.includes("\\") ? undefined : inner;
}

/**
 * A matcher for exactly these values; none of them: one that nothing can match. Label names outside the classic set are
 * quoted (UTF-8 names of Prometheus 3).
 */
export function writeMatcher(label: string, values: readonly string[]): string {
  const name = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quote(label);
  const [only] = values;
  if (only === undefined) return `${name}="",${name}!=""`;
  return values.length === 1
    ? `${name}=${quote(only)}`
    : `${name}=~${quote(values.map(escapeRegex).join("|"))}`;
}

/** RE2 reads each of these as itself when a backslash stands before it; Prometheus anchors both ends. */
function escapeRegex(value: string): string {
  return value.replaceAll(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}

/** A PromQL string in double quotes: backslash, quote and newline are escaped, other controls as `\xNN`. */
export function quote(value: string): string {
  const escaped = value
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll(/\p{Cc}/gu, (char) => {
      const code = char.charCodeAt(0);
      return code < 0x80
        ? `\\x${code.toString(16).padStart(2, "0")}`
        : `\\u${code.toString(16).padStart(4, "0")}`;
    });
  return `"${escaped}"`;
}

function nodesNamed(tree: Tree, name: string): readonly SyntaxNode[] {
  const nodes: SyntaxNode[] = [];
  tree.iterate({
    enter: ({ node }) => {
      if (node.name === name) {
        nodes.push(node);
      }
    },
  });
  return nodes;
}

function refused(message: string): { readonly kind: "Refused"; readonly message: string } {
  return { kind: "Refused", message };
}
