import { z } from "zod";
import { cel, dnsLabel, meta } from "./common.ts";

export const AlertSignal = z
  .object({
    server: dnsLabel("Name of a server in the operator's own configuration; never a URL.").default("default"),
    matchers: z.record(z.string().max(253), z.string().max(1024)).meta(
      meta("Labels that the alert must have, with their values, such as `alertname`.", {
        minProperties: 1,
        maxProperties: 16,
      }),
    ),
  })
  .meta(
    meta(
      "Number of firing alerts of a Prometheus server. None counts as 0 only if the server has an alerting rule of that `alertname`.",
      cel(
        {
          rule: "self.matchers.all(label, label.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",
          message:
            "`matchers` must have label names of Prometheus: letters, digits and _, not beginning with a digit",
        },
        {
          rule: "!('alertstate' in self.matchers)",
          message: "`matchers` must not have `alertstate`: firing alerts are counted",
        },
      ),
    ),
  );
export type AlertSignal = z.output<typeof AlertSignal>;
