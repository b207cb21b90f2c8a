import { DEFAULT_PLAN } from "../crds/default-plan.ts";
import type { RowSpec } from "./matrix.ts";

/** The parts of a policy's spec that rows follow from. */
export interface MatrixSource {
  readonly matrix?: readonly RowSpec[] | undefined;
  readonly signals: readonly { readonly name: string }[];
  readonly plans?: readonly { readonly name: string }[] | undefined;
}

/** The rows in force: those of the policy, each with its plan, or the default ones for its signals. */
export function effectiveMatrix({ matrix, signals, plans }: MatrixSource): readonly RowSpec[] {
  const names = planNames(plans);
  const rows = matrix ?? defaultMatrix({ signals: signals.map(({ name }) => name), plans: names });
  return rows.map((each) => ({ ...each, plan: each.plan ?? names[0] }));
}

/** Never empty: a policy that names no plan has the default one. */
export function planNames(plans: MatrixSource["plans"]): readonly [string, ...string[]] {
  const [first = DEFAULT_PLAN, ...rest] = (plans ?? []).map(({ name }) => name);
  return [first, ...rest];
}

/** What the default rows depend on: names of a policy's signals and plans. */
export interface MatrixContext {
  readonly signals: readonly string[];
  readonly plans: readonly string[];
}

/** A default row, and for which signal it is. */
type Default = (context: MatrixContext) => readonly RowSpec[];

/** The runbook's decision matrix, by the names of signals that it speaks of. */
const DEFAULTS: Readonly<Record<string, Default>> = {
  "error-rate": () => [
    row("error-rate-critical", "error-rate", "0.10", "2m", { severity: "SEV1", action: "Rollback" }),
    row("error-rate-elevated", "error-rate", "0.05", "5m", { severity: "SEV3", action: "Propose" }),
  ],
  "p95-latency": () => [
    row("p95-latency-high", "p95-latency", "5", "5m", { severity: "SEV3", action: "Prepare" }),
  ],
  vulnerabilities: () => [
    row("vulnerability-introduced", "vulnerabilities", "0", "0s", { severity: "SEV1", action: "Rollback" }),
  ],
  "data-corruption": ({ plans }) => [
    row("data-corruption", "data-corruption", "0", "0s", { severity: "SEV1", action: "Rollback" }),
    ...(plans.includes("restore")
      ? [
          row("data-corruption-restore", "data-corruption", "0", "0s", {
            severity: "SEV1",
            action: "Propose",
            plan: "restore",
          }),
        ]
      : []),
  ],
  "oom-kills": () => [
    row("memory-leak", "oom-kills", "2", "0s", {
      severity: "SEV3",
      action: "Rollback",
      hotfixDeadline: "15m",
    }),
  ],
  "endpoint-errors": ({ plans }) => [
    plans.includes("partial")
      ? row("endpoint-broken", "endpoint-errors", "0.10", "5m", {
          severity: "SEV3",
          action: "Rollback",
          plan: "partial",
        })
      : row("endpoint-broken", "endpoint-errors", "0.10", "5m", {
          severity: "SEV3",
          action: "Propose",
          expiresAfter: "30m",
        }),
  ],
};

/** Names of the signals that have default rows. */
export const KNOWN_SIGNALS: readonly string[] = Object.keys(DEFAULTS);

/** The rows for the signals that are there, in the order of the runbook; empty when none has a known name. */
export function defaultMatrix(context: MatrixContext): readonly RowSpec[] {
  return Object.entries(DEFAULTS)
    .filter(([signal]) => context.signals.includes(signal))
    .flatMap(([, rows]) => rows(context));
}

function row(
  name: string,
  signal: string,
  above: string,
  duration: string,
  rest: Pick<RowSpec, "severity" | "action"> & Partial<RowSpec>,
): RowSpec {
  return { name, when: { signal, above, for: duration }, ...rest };
}
