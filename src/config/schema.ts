import { z } from "zod";
import { parseDuration } from "../crds/duration.ts";

/** A duration of the file, as milliseconds. */
const milliseconds = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      try {
        return parseDuration(text);
      } catch {
        context.addIssue({ code: "custom", message: `'${text}' is not a duration such as 90s, 2m or 1h30m` });
        return z.NEVER;
      }
    });

const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be a DNS label");

const PrometheusServer = z.strictObject({
  name,
  url: z.url({ protocol: /^https?$/ }),
  /** Scrape interval of the targets, for the smallest window and for freshness. */
  scrapeInterval: milliseconds("30s"),
  timeout: milliseconds("10s"),
  /** Smallest `interval` a policy may ask for. */
  minimumInterval: milliseconds("1s"),
  /** Label that is forced to the policy's namespace in every selector; "" forces none. */
  namespaceLabel: z
    .string()
    .regex(/^([a-zA-Z_][a-zA-Z0-9_]*)?$/)
    .default("namespace"),
  /** False refuses free queries of policies. */
  allowQuery: z.boolean().default(true),
  bearerTokenFile: z.string().optional(),
  headers: z.record(z.string(), z.string()).default({}),
});
export type PrometheusServer = z.output<typeof PrometheusServer>;

/** The admin's configuration file. Unknown keys are errors: a misspelt limit must not be a missing limit. */
export const OperatorConfig = z
  .strictObject({
    /** Namespace of the operator itself: leases, target locks, kill switch. */
    namespace: name.default("rollback-system"),
    /** The only namespaces whose policies and requests are looked at; empty: all, which needs rights in all. */
    watchNamespaces: z.array(name).max(200).default([]),
    prometheus: z
      .strictObject({ servers: z.array(PrometheusServer).max(32).default([]) })
      .default({ servers: [] })
      .refine(({ servers }) => new Set(servers.map((server) => server.name)).size === servers.length, {
        message: "two servers have the same name",
        path: ["servers"],
      }),
    executor: z.strictObject({ default: name.optional() }).default({ default: "rollback-executor" }),
    limits: z
      .strictObject({
        /** Automatic rollbacks of all targets together in any ten minutes. */
        automaticRollbacksPer10Minutes: z.int().min(0).max(10_000).default(5),
        /**
         * So many targets that begin to breach within two minutes look like a shared dependency: automatic rollbacks of
         * them are held. 0: breaches of others are never looked at, also not as evidence of a cause.
         */
        sharedBreachTargets: z.int().min(0).max(10_000).default(5),
        concurrentRequests: z.int().min(1).max(1_000).default(20),
      })
      .prefault({}),
    gitOps: z
      .strictObject({
        /** Where Argo CD runs: Applications whose tracking id names no namespace are there. */
        argoCdNamespace: name.default("argocd"),
        /** ServiceAccount of `namespace` that stops Argo CD and Flux; deploy/gitops-hold makes it. */
        holdAccount: name.default("rollback-hold"),
      })
      .prefault({}),
    killSwitch: z
      .strictObject({ configMap: name.default("rollback-kill-switch"), key: z.string().default("stop") })
      .prefault({}),
    /** How long image and configuration errors of the restored version are borne before the step is Stuck. */
    stuckAfter: milliseconds("60s"),
    leaderElection: z
      .strictObject({
        leaseDuration: milliseconds("15s"),
        renewDeadline: milliseconds("10s"),
        retryPeriod: milliseconds("2s"),
      })
      .prefault({})
      .refine(
        (timing) => timing.retryPeriod < timing.renewDeadline && timing.renewDeadline < timing.leaseDuration,
        {
          message:
            "retryPeriod must be shorter than renewDeadline, and renewDeadline shorter than leaseDuration",
        },
      ),
    logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  })
  .prefault({});
export type OperatorConfig = z.output<typeof OperatorConfig>;
