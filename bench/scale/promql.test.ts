import { describe, expect, it } from "@jest/globals";
import { parseQuery } from "./promql.ts";

describe("parseQuery", () => {
  it("reads what is asked of many policies together", () => {
    const text = `(sum by (app, namespace) (rate(http_requests_total{status=~"5..",app=~"web-1|web\\\\-2",namespace="a"}[1m])) or (count by (app) (http_requests_total{app="x"})))`;
    const [rates, count] = parseQuery(text);
    expect(rates).toMatchObject({
      kind: "rate",
      labels: ["app", "namespace"],
      selector: { metric: "http_requests_total" },
    });
    const [status, app] = rates?.selector.matchers ?? [];
    expect([status?.values, status?.matches("503"), status?.matches("200")]).toEqual([
      undefined,
      true,
      false,
    ]);
    expect(app?.values).toEqual(["web-1", "web-2"]);
    expect(count).toMatchObject({ kind: "count", labels: ["app"] });
  });

  it("reads the labels that are added to tell answers apart", () => {
    const text = `label_replace(sum by () (rate(m[1m])), "__role__", "first", "", "") or label_replace(sum by (pod) (m), "__role__", "total", "", "")`;
    expect(parseQuery(text)).toMatchObject([
      { kind: "rate", labels: [], added: { __role__: "first" } },
      { kind: "sum", labels: ["pod"], added: { __role__: "total" } },
    ]);
  });

  it("refuses everything else", () => {
    expect(() => parseQuery("histogram_quantile(0.9, sum by (le) (rate(m[1m])))")).toThrow(SyntaxError);
    expect(() => parseQuery("sum by (a) (rate(m[1m])) / 2")).toThrow(SyntaxError);
  });
});
