import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  addMatchers,
  fixedValues,
  forceMatchers,
  parseSelector,
  quote,
  writeSelector,
  type Matchers,
} from "./selector.ts";

function limit(text: string, matchers: Matchers): string {
  const selector = parseSelector(text);
  const limited = selector.kind === "Parsed" ? addMatchers(selector.value, matchers) : selector;
  return limited.kind === "Parsed" ? writeSelector(limited.value) : limited.message;
}

function force(query: string, matchers: Matchers = { namespace: "shop" }): string {
  const forced = forceMatchers(query, matchers);
  return forced.kind === "Parsed" ? forced.value.query : forced.message;
}

describe("a plain selector", () => {
  it.each([
    ["http_requests_total", 'http_requests_total{namespace="shop"}'],
    ["http_requests_total{}", 'http_requests_total{namespace="shop"}'],
    ['x{status=~"5..",}', 'x{status=~"5..",namespace="shop"}'],
    ['{__name__="x"}', '{__name__="x",namespace="shop"}'],
    ['{"my.metric", a="b"}', '{"my.metric",a="b",namespace="shop"}'],
    [`x{namespace='shop'}`, 'x{namespace="shop"}'],
    ["x{a=`b\\c`}", 'x{a=`b\\c`,namespace="shop"}'],
  ])("%s gets the matchers", (text, expected) => {
    expect(limit(text, { namespace: "shop" })).toBe(expected);
  });

  it.each([
    'x{namespace="other"}',
    'x{namespace=~"shop"}',
    'x{namespace!="shop"}',
    'x{namespace="shop",namespace=~".*"}',
    'x{"namespace"="other"}',
  ])("%s conflicts, and the label is named", (text) => {
    expect(limit(text, { namespace: "shop" })).toContain('"namespace"');
  });

  it.each([
    "rate(x[1m])",
    "x[1m]",
    "x offset 1m",
    "x @ 5",
    "(x)",
    "-x",
    "x + y",
    "1",
    "",
    "x{",
    "x y",
    "sum(x)",
    'x{a="b}',
    "x # comment",
    'x{a="b"} \r',
    'x{"na\\x6despace"="y"}',
  ])("%j is refused", (text) => {
    expect(parseSelector(text).kind).toBe("Refused");
  });

  it("writes any value so that it reads back as one matcher", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        const again = parseSelector(limit("x", { a: value }));
        expect(
          again.kind === "Parsed" && again.value.matchers.map(({ label, text }) => [label, text]),
        ).toEqual([["a", `a=${quote(value)}`]]);
      }),
    );
  });
});

describe("a free query", () => {
  it.each([
    ['max(a{x="y"})', 'max(a{x="y",namespace="shop"})'],
    [
      "sum(rate(a[5m] offset 1m)) by (b) / on (b) group_left (c) max by (b) (d) > bool 3",
      'sum(rate(a{namespace="shop"}[5m] offset 1m)) by (b) / on (b) group_left (c) max by (b) (d{namespace="shop"}) > bool 3',
    ],
    ["max_over_time(rate(a[1m])[5m:30s])", 'max_over_time(rate(a{namespace="shop"}[1m])[5m:30s])'],
    [
      'label_replace(a, "x", "b{}", "y", "(.*)")',
      'label_replace(a{namespace="shop"}, "x", "b{}", "y", "(.*)")',
    ],
    ["absent(a) or vector(0)", 'absent(a{namespace="shop"}) or vector(0)'],
    ["a\n+\tb @ end()", 'a{namespace="shop"}\n+\tb{namespace="shop"} @ end()'],
    ["(((a)))", '(((a{namespace="shop"})))'],
  ])("%s", (query, expected) => {
    expect(force(query)).toBe(expected);
  });

  it.each([
    ["1 + 1", "reads no series"],
    ["vector(1)", "reads no series"],
    ["a + ", "not valid PromQL"],
    ['a{namespace="other"}', '"namespace"'],
    ["a # b", "comments are not allowed"],
    ["a # hidden from the grammar, not from the server \r or b", "control character"],
    ["a + 'open", "closing quote"],
    ["info(a)", "info()"],
    ["a\u0000", "control character"],
  ])("%j is refused: %s", (query, message) => {
    expect(force(query)).toContain(message);
  });

  it("leaves no selector of a generated query without the matcher, and stays valid", () => {
    const leaf = fc.constantFrom("a", 'b{x="{}"}', '{__name__=~"c.*"}', "d{}", 'e{y!~"\\\\d"}', "f{z=`}`}");
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 4 },
        leaf,
        tie("expression").map((inner) => `sum by (x) (${inner})`),
        leaf.map((inner) => `rate(${inner}[5m] offset 1m)`),
        tie("expression").map((inner) => `max_over_time((${inner})[5m:1m])`),
        fc.tuple(tie("expression"), tie("expression")).map(([left, right]) => `(${left} / on (x) ${right})`),
        tie("expression").map((inner) => `label_replace(${inner}, "q", "g{}", "x", "(.*)")`),
      ),
    }));
    fc.assert(
      fc.property(expression, (query) => {
        const forced = forceMatchers(query, { namespace: "shop" });
        expect(forced.kind).toBe("Parsed");
        const text = forced.kind === "Parsed" ? forced.value.query : "";
        const again = forceMatchers(text, { namespace: "shop" });
        expect(again.kind === "Parsed" && again.value.query).toBe(text);
        const selectors = again.kind === "Parsed" ? again.value.selectors : [];
        expect(selectors.every((selector) => selector.includes('namespace="shop"'))).toBe(true);
      }),
    );
  });
});

describe("the values that a query fixes a label to", () => {
  it.each<[string, readonly (readonly string[])[]]>([
    ['sum by (namespace) (rate(a{namespace="x",b="c"}[5m])) > 1', [["x"]]],
    ["a{namespace='x'} / on () b{namespace=`y`, namespace=\"z\"}", [["x"], ["y", "z"]]],
    ['{"a","namespace"="x"}', [["x"]]],
    ['sum by ("namespace") (a{namespace="x"})', [["x"]]],
    ['label_replace(a{namespace="x"}, "b", "$1", "c", "(.*)")', [["x"]]],
    ['a{namespace="x"} or b', [["x"], []]],
    ['a{namespace=~"x"} or b{namespace!="x"} or c{namespace!~"x"}', [[], [], []]],
    ['a{other="x"}', [[]]],
    ['a{namespace="\\x78"}', [[]]],
    ["vector(1)", []],
    ["", []],
    ['a{namespace="x"', []],
    ['label_replace(a{namespace="x"}, "namespace", "y", "", "")', []],
    ['label_join(a{namespace="x"}, ("namespace"), "", "b")', []],
    ['label_replace(a{namespace="x"}, "b", "$1", "namespaces", "(\\\\d+)")', [["x"]]],
    ['count_values("namespace", a{namespace="x"})', []],
    ['info(a{namespace="x"})', []],
  ])("of %s", (query, expected) => {
    expect(fixedValues(query, "namespace")).toEqual(expected);
  });
});
