import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { createMetrics } from "./metrics.ts";

const PAGE = readFileSync("docs/metrics.md", "utf8");

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

/** Names with their labels, as the page's tables write them. */
function ofPage(): readonly string[] {
  return [...PAGE.matchAll(/^\| `(?<metric>[a-z_]+(\{[a-z, ]+\})?)` /gm)].map(
    ({ groups }) => groups?.["metric"] ?? "",
  );
}

function ofCode(): readonly string[] {
  return createMetrics()
    .describe()
    .map(({ name, labels }) => (labels.length === 0 ? name : `${name}{${labels.join(", ")}}`));
}

/** Nodes of the expression's syntax tree with this name, as their text. */
function nodesOf(expr: string, ...names: readonly string[]): readonly string[] {
  const found: string[] = [];
  parser.parse(expr).iterate({
    enter(node) {
      if (names.includes(node.name) || (names.includes("error") && node.type.isError)) {
        found.push(expr.slice(node.from, node.to));
      }
    },
  });
  return found;
}

describe("docs/metrics.md", () => {
  it("has every metric with its labels, and no other", () => {
    expect(ofPage().toSorted()).toEqual(ofCode().toSorted());
  });

  it("has the type of each as it is served", async () => {
    const { text } = await createMetrics().render();
    for (const metric of ofPage()) {
      const name = metric.split("{")[0] ?? "";
      const type = new RegExp(`^# TYPE ${name} (\\w+)$`, "m").exec(text)?.[1];
      const row = PAGE.split("\n").find((line) => line.startsWith(`| \`${metric}\``));
      expect(`${name} ${row?.split("|")[2]?.trim()}`).toBe(`${name} ${type}`);
    }
  });

  it("has alert rules that parse and ask for metrics that there are", () => {
    const yaml = /```yaml\n(?<rules>[\s\S]*?)```/.exec(PAGE)?.groups?.["rules"] ?? "";
    const rules = (parse(yaml) as RuleFile).groups.flatMap((group) => group.rules);
    const names = ofCode().map((metric) => metric.split("{")[0]);
    expect(rules.length).toBeGreaterThanOrEqual(3);
    for (const { expr } of rules) {
      expect(nodesOf(expr, "error")).toEqual([]);
      const asked = nodesOf(expr, "Identifier").filter((each) => each.includes("_"));
      expect(asked.length).toBeGreaterThan(0);
      expect(names).toEqual(expect.arrayContaining([...asked]));
    }
  });
});

describe("rollback_requests_total", () => {
  it("begins at zero for every end, so that a first failure is an increase", async () => {
    const { text } = await createMetrics().render();
    for (const result of ["Succeeded", "Failed", "Superseded", "Denied", "Expired", "Aborted"]) {
      expect(text).toContain(`rollback_requests_total{trigger="automatic",result="${result}"} 0`);
      expect(text).toContain(`rollback_requests_total{trigger="person",result="${result}"} 0`);
    }
  });
});
