import { z } from "zod";
import { cel, decimal, dnsLabel, duration, limitedDuration, listMap, meta } from "./common.ts";
import { HttpCheck, SmokeCheck } from "./pod-checks.ts";

const ExactlyOneCheck = cel({
  rule: "[has(self.pods), has(self.http), has(self.smoke), has(self.signal), has(self.version)].filter(x, x).size() == 1",
  message: "must have exactly one of `pods`, `http`, `smoke`, `signal`, `version`",
});

export const VerificationCheck = z
  .object({
    name: dnsLabel("Name of the check, unique in the list."),
    pods: z
      .object({
        ready: z
          .enum(["All"])
          .default("All")
          .meta(meta("How many of the workload's own current pods must be Ready.")),
      })
      .optional()
      .meta(meta("The workload's pods of the restored version are Ready.")),
    http: HttpCheck.optional(),
    smoke: SmokeCheck.optional(),
    signal: z
      .object({
        name: dnsLabel("Name of a signal of the policy."),
        above: decimal("The check passes while the signal is above this value.").optional(),
        below: decimal("The check passes while the signal is below this value.").optional(),
      })
      .optional()
      .meta(
        meta(
          "A signal of the policy is Ok. Without a bound: the strictest row of that signal.",
          cel({
            rule: "!(has(self.above) && has(self.below))",
            message: "must have at most one of `above`, `below`",
          }),
        ),
      ),
    version: z
      .object({})
      .optional()
      .meta(meta("The workload runs the restored template: every current pod carries its template hash.")),
  })
  .meta(meta("One check; exactly one member besides the name.", ExactlyOneCheck));
export type VerificationCheck = z.output<typeof VerificationCheck>;

const INTERVAL_WITHIN_SOAK = cel({
  rule: "duration(self.interval) <= duration(self.soak)",
  message: "`interval` must not be longer than `soak`: set a shorter interval or a longer soak",
});

const interval = duration("Time between two samples of a check.", {
  rule: "duration(self) >= duration('1s')",
  message: "must be at least 1s",
}).default("10s");

/** Checks between two steps: fewer and shorter by default than those of the verification. */
export const CheckStep = z
  .object({
    settle: limitedDuration("Time after the step before it until anything is judged.", "0s", "24h").default(
      "0s",
    ),
    soak: limitedDuration("Time over which every check is sampled.", "1s", "24h").default("30s"),
    interval,
    checks: z
      .array(VerificationCheck)
      .min(1)
      .max(8)
      .meta(meta("The checks; a signal needs a bound of its own here.", listMap("name"))),
  })
  .meta(
    meta(
      "Go on only when every check has passed. One that fails, or has no data, ends the request before the next step.",
      INTERVAL_WITHIN_SOAK,
    ),
  );
export type CheckStep = z.output<typeof CheckStep>;

export const Verification = z
  .object({
    settle: limitedDuration("Time after the last step before anything is judged.", "0s", "24h").default(
      "10s",
    ),
    soak: limitedDuration("Time over which every check is sampled.", "1s", "24h").default("60s"),
    interval,
    checks: z
      .array(VerificationCheck)
      .max(32)
      .optional()
      .meta(
        meta(
          "The checks. Default: pods, version, and each signal of the policy that a row of the matrix names, except those of vulnerability reports.",
          listMap("name"),
        ),
      ),
  })
  .meta(meta("How it is proved that the rollback helped.", INTERVAL_WITHIN_SOAK));
export type Verification = z.output<typeof Verification>;
