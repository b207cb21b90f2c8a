import { z } from "zod";
import { cel, decimal, dnsLabel, limitedDuration, meta, Severity } from "./common.ts";

export const RowAction = z.enum(["Rollback", "Propose", "Prepare", "Notify"]);

export const MatrixRow = z
  .object({
    name: dnsLabel("Name of the row, unique in the matrix."),
    when: z
      .object({
        signal: dnsLabel("Name of a signal of this policy."),
        above: decimal("The row breaches while the signal is above this value.").optional(),
        below: decimal("The row breaches while the signal is below this value.").optional(),
        for: limitedDuration(
          "How long every evaluation must breach before the row fires.",
          "0s",
          "24h",
        ).default("0s"),
      })
      .meta(
        meta(
          "The condition.",
          cel({
            rule: "has(self.above) != has(self.below)",
            message: "must have exactly one of `above`, `below`",
          }),
        ),
      ),
    severity: Severity.default("SEV3"),
    action: RowAction.meta(
      meta(
        "What happens when the row fires. Rollback: at once. Propose: a request that waits for approval. Prepare: the plan is made, kept and shown. Notify: an event only.",
      ),
    ),
    plan: dnsLabel("Name of the plan to go by. Default: the first plan.").optional(),
    expiresAfter: limitedDuration("How long a proposal waits for an answer.", "1m", "24h").optional(),
    runAfter: limitedDuration(
      "After this a proposal runs unless it was denied; only where the last release is proven to be the cause.",
      "10s",
      "24h",
    ).optional(),
    hotfixDeadline: limitedDuration(
      "How long a rollback waits for a hotfix from the moment the row fires; recovery cancels it.",
      "1s",
      "24h",
    ).optional(),
  })
  .meta(
    meta(
      "One row of the decision matrix.",
      cel(
        {
          rule: "self.action in ['Propose', 'Rollback'] || !has(self.expiresAfter)",
          message:
            "`expiresAfter` is for the actions Propose and Rollback (which proposes what it is not sure of)",
        },
        {
          rule: "self.action == 'Propose' || !has(self.runAfter)",
          message: "`runAfter` is for the action Propose",
        },
        {
          rule: "!has(self.runAfter) || duration(self.runAfter) < duration(has(self.expiresAfter) ? self.expiresAfter : '30m')",
          message: "`runAfter` must be shorter than `expiresAfter` (30m where it is not set)",
        },
        {
          rule: "self.action == 'Rollback' || !has(self.hotfixDeadline)",
          message: "`hotfixDeadline` is for the action Rollback",
        },
      ),
    ),
  );
export type MatrixRow = z.output<typeof MatrixRow>;
