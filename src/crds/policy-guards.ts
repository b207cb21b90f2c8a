import { z } from "zod";
import { dnsLabel, duration, limitedDuration, listMap, meta, Severity, text } from "./common.ts";
import { GitOpsMode } from "./gitops-hold.ts";

export const FreezeWindow = z
  .object({
    name: dnsLabel("Name of the window, unique in the policy."),
    schedule: text(
      'When it begins, as five fields of cron: minute, hour, day of month, month, day of week, such as "0 18 * * FRI".',
      100,
    ).min(9),
    duration: limitedDuration("How long it lasts.", "1m", "720h"),
    timeZone: text("Time zone of the schedule, such as Europe/Berlin.", 64).min(1).default("UTC"),
    allow: z
      .array(Severity)
      .max(4)
      .default([])
      .meta(meta("Severities of rows that may roll back all the same.", { "x-kubernetes-list-type": "set" })),
  })
  .meta(meta("A time in which nothing is rolled back without asking."));
export type FreezeWindow = z.output<typeof FreezeWindow>;

export const Guards = z
  .object({
    cooldown: duration("Time after an automatic rollback of this target before the next one.").default("30m"),
    maxPerDay: z
      .int()
      .min(0)
      .max(100)
      .default(3)
      .meta(meta("Automatic rollbacks of this target in 24 hours.")),
    settle: duration(
      "Nothing fires in this time after a release starts; its samples count all the same.",
    ).default("60s"),
    maxBreachAge: duration(
      "A breach found at start-up that is older than this is reported, not acted on.",
    ).default("20m"),
    freeze: z
      .array(FreezeWindow)
      .max(16)
      .default([])
      .meta(meta("Times in which nothing is rolled back without asking.", listMap("name"))),
    gitOps: GitOpsMode.default("Refuse"),
  })
  .default({
    cooldown: "30m",
    maxPerDay: 3,
    settle: "60s",
    maxBreachAge: "20m",
    freeze: [],
    gitOps: "Refuse",
  })
  .meta(meta("What holds an automatic rollback back."));
export type Guards = z.output<typeof Guards>;
