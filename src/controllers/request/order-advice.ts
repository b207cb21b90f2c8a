import type { PlannedStep } from "../../crds/rollback-request.ts";

/** Two kinds of steps of which one belongs before the other. */
interface OrderRule {
  /** Kind of the step that belongs first. */
  readonly first: string;
  /** Kinds of the steps that belong after it. */
  readonly before: readonly string[];
  /** Whether that holds for these two; always, unless said. */
  readonly concerns?: (first: PlannedStep, other: PlannedStep) => boolean;
  /** What is lost in the other order; the whole sentence begins `put step FIRST before step OTHER: `. */
  readonly why: (first: PlannedStep, other: PlannedStep) => string;
}

const CHANGES_TEMPLATE = ["workload", "restart"];
const WRITES_CONFIGURATION = ["configMap", "featureFlag"];

/**
 * Only what is better for everybody: where it depends on what the versions are like, such as whether the stable pods or
 * the canary's are the worse ones, nothing is said. A new rule is a new entry.
 */
const RULES: readonly OrderRule[] = [
  {
    first: "featureFlag",
    before: [...CHANGES_TEMPLATE, "canary", "blueGreen", "configMap"],
    // One that restarts pods is no faster than the other step.
    concerns: (flag, other) => restartsOf(flag).length === 0 && takesTime(other),
    why: (_, other) =>
      `a feature flag is set at once, and waits there until ${other.object} is done; unless it needs what step ${other.name} brings`,
  },
  {
    first: "canary",
    before: [...CHANGES_TEMPLATE, ...WRITES_CONFIGURATION],
    concerns: (canary, other) => replaces(other, canary.canary?.workload?.object),
    why: ({ canary }, other) =>
      `step ${other.name} replaces the pods of ${canary?.workload?.object}, which are taken away after that`,
  },
  {
    first: "blueGreen",
    before: CHANGES_TEMPLATE,
    concerns: ({ from }, other) => replaces(other, from?.workload),
    why: ({ from, object }) =>
      `the pods of ${from?.workload} are replaced while ${object} still sends them all requests`,
  },
  {
    first: "workload",
    before: ["blueGreen"],
    concerns: (workload, { to }) => replaces(workload, to?.workload),
    why: (workload, { object }) =>
      `${object} sends all requests to the pods of ${workload.object} before these are rolled back`,
  },
  ...WRITES_CONFIGURATION.map((first): OrderRule => ({
    first,
    before: ["blueGreen"],
    concerns: (configuration, { to }) => replaces(configuration, to?.workload),
    why: (configuration, { to, object }) =>
      `${object} sends all requests to the pods of ${to?.workload} before these have what step ${configuration.name} puts back`,
  })),
];

/**
 * Advice where the steps of a plan stand in an order that is worse than another: one sentence for each rule and each step
 * that comes too late. What has nothing to do is in nobody's way, and steps that a `check` separates are in their order
 * on purpose. Pure.
 */
export function orderAdvice(steps: readonly PlannedStep[]): readonly string[] {
  return steps.flatMap((first, index) => {
    if (isIdle(first)) return [];
    const gate = steps.slice(0, index).findLastIndex(({ action }) => action === "check");
    const earlier = steps.slice(gate + 1, index).filter((step) => !isIdle(step));
    return RULES.flatMap((rule) => {
      const other = earlier.find((step) => applies(rule, first, step));
      return other === undefined
        ? []
        : [`order: put step ${first.name} before step ${other.name}: ${rule.why(first, other)}`];
    });
  });
}

function applies(rule: OrderRule, first: PlannedStep, other: PlannedStep): boolean {
  return (
    rule.first === first.action &&
    rule.before.includes(other.action) &&
    (rule.concerns === undefined || rule.concerns(first, other))
  );
}

function isIdle({ nothingToDo }: PlannedStep): boolean {
  return nothingToDo !== undefined;
}

function restartsOf({ restarts = [] }: PlannedStep): readonly string[] {
  return restarts;
}

/** Whether the step replaces the pods of this workload. */
function replaces(step: PlannedStep, workload: string | undefined): boolean {
  if (workload === undefined) return false;
  const isItsObject = CHANGES_TEMPLATE.includes(step.action) && step.object === workload;
  return isItsObject || restartsOf(step).includes(workload);
}

/** Pods are replaced, started, drained or waited for; the content of a ConfigMap alone is written at once. */
function takesTime(step: PlannedStep): boolean {
  switch (step.action) {
    case "configMap":
      return restartsOf(step).length > 0;
    case "canary":
      return step.canary?.drain !== "0s" || step.canary.workload !== undefined;
    default:
      return true;
  }
}
