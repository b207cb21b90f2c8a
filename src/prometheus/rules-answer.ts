import { z } from "zod";
import type { Read } from "./answer.ts";

/** An alerting rule as the server tells about it. */
export interface AlertingRule {
  readonly name: string;
  /** How often it is evaluated, ms. */
  readonly intervalMs: number;
  /** `ok`, `err`, or `unknown` before the first evaluation. */
  readonly health: string;
  readonly lastError: string;
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
      .map(({ name, health, lastError }) => ({ name, health, lastError, intervalMs: interval * 1_000 })),
  );
  return { value, warnings: answer.data.warnings };
}
