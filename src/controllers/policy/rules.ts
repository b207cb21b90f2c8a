import { parseFreezeWindows, type FreezeCalendar } from "../../calendar/freeze-windows.ts";
import { formatDuration, parseDuration } from "../../crds/duration.ts";
import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import { effectiveMatrix, KNOWN_SIGNALS, planNames } from "../../decision/default-matrix.ts";
import type { PlanView, PolicyView } from "../../decision/guards/guard.ts";
import { parseMatrix } from "../../decision/matrix.ts";
import type { Row } from "../../decision/row.ts";
import { formatSpan, formatValue } from "../../decision/sentence.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { unitOfSignal } from "../../signals/unit.ts";
import { impossibleRows } from "./impossible-rows.ts";

/** What a policy's spec says in the terms of the decision core, but for where its signals are read. Lengths in ms. */
export interface PolicyRules {
  readonly view: PolicyView;
  readonly rows: readonly Row[];
  readonly plans: readonly PlanView[];
  readonly freeze: FreezeCalendar;
}

export type ParsedRules =
  | { readonly kind: "Parsed"; readonly rules: PolicyRules }
  /** One sentence each. */
  | { readonly kind: "Refused"; readonly problems: readonly string[] };

/** Reads the rules of a policy; asks no server, so whoever can read the policy can read them. Pure. */
export function parseRules({ spec }: Pick<RollbackPolicy, "spec">): ParsedRules {
  const problems: string[] = [];
  const units = new Map(spec.signals.map((signal) => [signal.name, unitOfSignal(signal)]));
  const rows = effectiveMatrix(spec);
  if (rows.length === 0) {
    problems.push(
      `no signal has a name that the default matrix knows (${KNOWN_SIGNALS.join(", ")}): write spec.matrix`,
    );
  }
  const matrix = parseMatrix(rows, units, parseDuration);
  if (matrix.kind === "Refused") problems.push(...matrix.problems);
  problems.push(...impossibleRows(rows, spec.signals));
  const freeze = parseFreezeWindows(spec.guards.freeze);
  if (freeze.kind === "Refused") problems.push(...freeze.problems);
  if (matrix.kind === "Refused" || freeze.kind === "Refused" || problems.length > 0) {
    return { kind: "Refused", problems };
  }
  const { guards, attribution } = spec;
  return {
    kind: "Parsed",
    rules: {
      rows: matrix.rows,
      plans: planNames(spec.plans).map((name) => ({
        name,
        goesBack: goesBack(spec, name),
        configMaps: configMapsOf(spec, name),
      })),
      freeze: freeze.calendar,
      view: {
        mode: spec.mode,
        suspended: spec.suspend,
        executor: spec.serviceAccountName,
        intervalMs: parseDuration(spec.interval),
        lookbackMs: parseDuration(attribution.lookback),
        require: attribution.require,
        settleMs: parseDuration(guards.settle),
        cooldownMs: parseDuration(guards.cooldown),
        maxPerDay: guards.maxPerDay,
        maxBreachAgeMs: parseDuration(guards.maxBreachAge),
      },
    },
  };
}

/** The rows in force, readable. */
export function matrixFacts({
  rows,
}: Pick<PolicyRules, "rows">): NonNullable<RollbackPolicyStatus["matrix"]> {
  return rows.map(
    ({ name, signal, unit, comparison, threshold, forMs, action, severity, plan, ...rest }) => ({
      name,
      when: `${signal} ${comparison === "above" ? ">" : "<"} ${formatValue(threshold, unit)}${forMs > 0 ? ` for ${formatSpan(forMs)}` : ""}`,
      action,
      severity,
      plan,
      ...(rest.hotfixDeadlineMs === undefined
        ? {}
        : { hotfixDeadline: formatDuration(rest.hotfixDeadlineMs) }),
    }),
  );
}

/** The ConfigMaps whose content a plan puts back. */
function configMapsOf({ plans = [] }: RollbackPolicy["spec"], name: string): readonly string[] {
  const steps = plans.find((plan) => plan.name === name)?.steps ?? [];
  return steps.flatMap(({ configMap }) => configMap?.name ?? []);
}

/** Whether a plan puts the policy's target back to its last known good revision. */
function goesBack({ plans, target }: RollbackPolicy["spec"], name: string): boolean {
  const steps = plans?.find((plan) => plan.name === name)?.steps;
  if (steps === undefined) return true;
  return steps.some(
    ({ workload }) =>
      workload?.to.strategy === "LastKnownGood" &&
      (workload.name === undefined || (workload.kind === target.kind && workload.name === target.name)),
  );
}
