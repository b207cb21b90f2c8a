import { z } from "zod";
import { atomicList, cel, decimal, dnsLabel, limitedDuration, meta, text } from "./common.ts";

const selector = (description: string) => text(description, 4096).min(1);

function rateWindow() {
  return limitedDuration("Range of `rate()`; at least four scrape intervals of the server.", "1s", "24h");
}

function partLabels() {
  return z
    .array(
      z
        .string()
        .min(1)
        .max(128)
        .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/)
        .meta(meta("Name of a label.")),
    )
    .min(1)
    .max(4)
    .optional()
    .meta(
      meta(
        "Labels of whose values each has a verdict of its own; at most 200 values are judged.",
        atomicList,
      ),
    );
}

export const PrometheusSource = z
  .object({
    server: dnsLabel("Name of a server in the operator's own configuration; never a URL.").default("default"),
    match: z
      .record(z.string().max(253), z.string().max(1024))
      .optional()
      .meta(
        meta("Labels that identify the target; added to every selector of `ratio` and `quantile`.", {
          maxProperties: 16,
        }),
      ),
    ratio: z
      .object({
        bad: selector("Vector selector of the counter of failed requests."),
        total: selector("Vector selector of the counter of all requests."),
        window: rateWindow(),
        by: partLabels(),
      })
      .optional()
      .meta(meta("Share of failed requests, 0 to 1.")),
    quantile: z
      .object({
        quantile: decimal('The quantile, between 0 and 1, such as "0.95".', {
          rule: "double(self) > 0.0 && double(self) < 1.0",
          message: "must be greater than 0 and less than 1",
        }),
        histogram: selector("Name or selector of a histogram, without `_bucket`.").regex(
          // The grammar of metric names, then matchers in braces.
          /^\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{[\s\S]*\}\s*)?$/,
        ),
        window: rateWindow(),
        format: z
          .enum(["Classic", "Native"])
          .default("Classic")
          .meta(meta("Classic has a series per bucket, Native is one series with all buckets.")),
        by: partLabels(),
      })
      .optional()
      .meta(meta("Quantile of a histogram.")),
    query: selector(
      "Any PromQL that gives exactly one value, or with `by` one for each label value.",
    ).optional(),
    by: partLabels(),
    freshness: selector("For `query`: vector selector whose newest sample must be fresh.").optional(),
    minimumRequests: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(50)
      .meta(meta("Requests per window below which a sample is InsufficientTraffic and no verdict.")),
  })
  .meta(
    meta(
      "A query to a Prometheus server of the operator's configuration.",
      cel(
        {
          rule: "[has(self.ratio), has(self.quantile), has(self.query)].filter(x, x).size() == 1",
          message: "must have exactly one of `ratio`, `quantile`, `query`",
        },
        {
          rule: "!has(self.match) || self.match.all(label, label.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",
          message:
            "`match` must have label names of Prometheus: letters, digits and _, not beginning with a digit",
        },
        {
          rule: "!has(self.by) || has(self.query)",
          message: "`by` beside `query` is for `query`; `ratio` and `quantile` have their own",
        },
        { rule: "!has(self.freshness) || has(self.query)", message: "`freshness` needs `query`" },
        {
          rule: "!has(self.match) || !has(self.query)",
          message: "`match` is for `ratio` and `quantile`; write the labels into the query",
        },
      ),
    ),
  );
export type PrometheusSource = z.output<typeof PrometheusSource>;
