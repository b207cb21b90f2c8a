import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import type { Answer, Element, PrometheusError, Series } from "../answer.ts";
import type { PrometheusApi } from "../client.ts";
import type { PrometheusServer } from "../server.ts";

/** A series as rates see it: `valueAt` gives its rate, or nothing where it has no samples. */
export interface ModelSeries {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  valueAt(at: number): number | undefined;
}

export interface ModelServer extends PrometheusApi {
  /** Every query that was asked. */
  readonly asked: string[];
  /** What it does instead of answering; undefined: it answers. */
  fault: (query: string, found: readonly Element[]) => Answer<readonly Element[]> | undefined;
}

const SERVER: PrometheusServer = { name: "model", url: "http://x", timeoutMs: 1, scrapeIntervalMs: 1_000 };

/**
 * Evaluates the queries that this folder writes, over series in memory: sums and counts of selectors, their
 * alternatives, quantiles. The quantile of a model is not one, but differs between different histograms.
 */
export function modelServer(series: readonly ModelSeries[]): ModelServer {
  const parsed = (query: string) => {
    const root = parser.parse(query).topNode.firstChild;
    return (at: number) => evaluate(root, { query, series, at });
  };
  const server: ModelServer = {
    server: SERVER,
    asked: [],
    fault: () => undefined,
    instant: async (query, time, signal) => {
      server.asked.push(query);
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      const found = parsed(query)(time);
      return server.fault(query, found) ?? { kind: "Ok", value: found };
    },
    range: async (query, start, end, step, signal) => {
      server.asked.push(query);
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      const known = new Map<string, { labels: Element["labels"]; points: { at: number; value: number }[] }>();
      const all: Element[] = [];
      const at = parsed(query);
      for (let time = start; time <= end; time += step) {
        for (const { labels, value } of at(time)) {
          all.push({ labels, at: time, value });
          const key = keyOf(labels);
          const one = known.get(key) ?? { labels, points: [] };
          known.set(key, one);
          one.points.push({ at: time, value });
        }
      }
      const fault = server.fault(query, all);
      if (fault?.kind === "Failed") return fault;
      return { kind: "Ok", value: [...known.values()] satisfies readonly Series[] };
    },
  };
  return server;
}

export function failed(
  kind: PrometheusError["kind"],
  message = "no",
): Extract<Answer<never>, { kind: "Failed" }> {
  return { kind: "Failed", error: { kind, message } };
}

interface Context {
  readonly query: string;
  readonly series: readonly ModelSeries[];
  readonly at: number;
}

function evaluate(node: SyntaxNode | null, context: Context): readonly Element[] {
  switch (node?.name) {
    case "ParenExpr":
      return evaluate(node.firstChild, context);
    case "BinaryExpr": {
      const left = evaluate(node.firstChild, context);
      const seen = new Set(left.map(({ labels }) => keyOf(labels)));
      const right = evaluate(node.lastChild, context).filter(({ labels }) => !seen.has(keyOf(labels)));
      return [...left, ...right];
    }
    case "AggregateExpr":
      return aggregate(node, context);
    case "FunctionCall": {
      const name = textOf(node.firstChild, context);
      const args = argumentsOf(node);
      if (name === "rate" || name === "histogram_count") return evaluate(args[0] ?? null, context);
      if (name === "histogram_quantile") {
        const q = Number(textOf(args[0] ?? null, context));
        return summed(evaluate(args[1] ?? null, context), (labels) => without(labels, "le"), q);
      }
      throw new Error(`the model knows no ${name}()`);
    }
    case "MatrixSelector":
      return evaluate(node.firstChild, context);
    case "VectorSelector":
      return select(node, context);
    default:
      throw new Error(`the model cannot evaluate ${node?.name} in ${context.query}`);
  }
}

function aggregate(node: SyntaxNode, context: Context): readonly Element[] {
  const by = (
    node.getChild("AggregateModifier")?.getChild("GroupingLabels")?.getChildren("LabelName") ?? []
  ).map((label) => textOf(label, context));
  const operand = evaluate(argumentsOf(node)[0] ?? null, context);
  const grouped = (labels: Element["labels"]) =>
    Object.fromEntries(by.flatMap((label) => (labels[label] === undefined ? [] : [[label, labels[label]]])));
  const isCount = textOf(node.firstChild, context) === "count";
  return summed(isCount ? operand.map((element) => ({ ...element, value: 1 })) : operand, grouped, 1);
}

function summed(
  elements: readonly Element[],
  group: (labels: Element["labels"]) => Element["labels"],
  factor: number,
): readonly Element[] {
  const sums = new Map<string, Element>();
  for (const { labels, at, value } of elements) {
    const own = group(labels);
    const key = keyOf(own);
    sums.set(key, { labels: own, at, value: (sums.get(key)?.value ?? 0) + factor * value });
  }
  return [...sums.values()];
}

function select(node: SyntaxNode, context: Context): readonly Element[] {
  const metric = textOf(node.getChild("Identifier"), context);
  const matchers = (node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? []).map(
    (matcher) => ({
      label: textOf(matcher.getChild("LabelName"), context),
      op: textOf(matcher.getChild("MatchOp"), context),
      value: unquote(textOf(matcher.getChild("StringLiteral"), context)),
    }),
  );
  return context.series.flatMap((each) => {
    const value = each.valueAt(context.at);
    const matches =
      each.metric === metric &&
      matchers.every(({ label, op, value: wanted }) => isMatch(each.labels[label] ?? "", op, wanted));
    return matches && value !== undefined ? [{ labels: each.labels, at: context.at, value }] : [];
  });
}

function isMatch(value: string, op: string, wanted: string): boolean {
  switch (op) {
    case "=":
      return value === wanted;
    case "!=":
      return value !== wanted;
    case "=~":
      return new RegExp(`^(?:${wanted})$`, "su").test(value);
    default:
      throw new Error(`the model knows no matcher ${op}`);
  }
}

function argumentsOf(node: SyntaxNode): readonly SyntaxNode[] {
  const body = node.getChild("FunctionCallBody");
  const found: SyntaxNode[] = [];
  for (let child = body?.firstChild ?? null; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

function textOf(node: SyntaxNode | null, { query }: Context): string {
  return node === null ? "" : query.slice(node.from, node.to);
}

function keyOf(labels: Element["labels"]): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function without(labels: Element["labels"], label: string): Element["labels"] {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== label));
}

function unquote(literal: string): string {
  return literal
    .slice(1, -1)
    .replaceAll(/\\(x[0-9a-f]{2}|u[0-9a-f]{4}|.)/gs, (_, escape: string) =>
      escape.length > 1
        ? String.fromCharCode(Number.parseInt(escape.slice(1), 16))
        : escape === "n"
          ? "\n"
          : escape,
    );
}
