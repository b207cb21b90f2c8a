import { z } from "zod";
import type { Read } from "./answer.ts";

/** A longer query is not kept: what is left of it could not be parsed. */
const MAX_QUERY_LENGTH = 16_384;
/** What is cut off a value leaves more than the name of a namespace can have. */
const MAX_LABEL_LENGTH = 256;
const MAX_LABELS = 64;

/** An alerting rule as the server tells about it. */
export interface AlertingRule {
  readonly name: string;
  /** How often it is evaluated, ms. */
  readonly intervalMs: number;
  /** `ok`, `err`, or `unknown` before the first evaluation. */
  readonly health: string;
  readonly lastError: string;
  /** Labels that every alert of it gets; a value may be a template. */
  readonly labels: ReadonlyMap<string, string>;
  /** Its PromQL; empty where it is not known. */
  readonly query: string;
}

const Rules = z.object({
  status: z.literal("success"),
  data: z.object({
    groups: z.array(
      z.object({
        interval: z.number().default(0),
        rules: z.array(
          z.object({
            name: z.string(),
            type: z.string(),
            health: z.string().default("unknown"),
            lastError: z.string().default(""),
            // Not every server tells these, and an answer without them is one.
            labels: z.record(z.string(), z.string()).catch({}),
            query: z.string().catch(""),
          }),
        ),
      }),
    ),
  }),
  warnings: z.array(z.string()).default([]),
});

/** The alerting rules, or undefined when the body is not an answer of the API. */
export function readAlertingRules(body: unknown): Read<readonly AlertingRule[]> | undefined {
  const answer = Rules.safeParse(body);
  if (!answer.success) return undefined;
  const value = answer.data.data.groups.flatMap(({ interval, rules }) =>
    rules
      .filter(({ type }) => type === "alerting")
      .map(({ name, health, lastError, labels, query }) => ({
        name,
        health,
        lastError,
        intervalMs: interval * 1_000,
        labels: boundedLabels(labels),
        query: query.length > MAX_QUERY_LENGTH ? "" : query,
      })),
  );
  return { value, warnings: answer.data.warnings };
}

function boundedLabels(labels: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const kept = Object.entries(labels).slice(0, MAX_LABELS);
  return new Map(kept.map(([label, value]) => [label, value.slice(0, MAX_LABEL_LENGTH)]));
}
