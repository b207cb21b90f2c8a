import type { PlannedStep, StepEnd } from "../crds/rollback-request.ts";
import type {
  Action,
  Advance,
  ApplyContext,
  ApplyResult,
  PlanContext,
  PlanResult,
  Progress,
  StepRight,
  TargetKey,
} from "./action.ts";

/** A step of a request with its action: what it is made of no longer matters to whoever carries it out. */
export interface BoundStep {
  readonly name: string;
  readonly kind: string;
  readonly makesRelease: boolean;
  readonly changesTemplate: boolean;
  /** The object it writes, as Kind/name. */
  readonly object: string;
  readonly rights: readonly StepRight[];
  /** Everything it writes; the first is the object itself, none for a step that writes nothing. */
  lockKeys(namespace: string): readonly TargetKey[];
  plan(context: PlanContext): Promise<PlanResult<PlannedStep>>;
  /** Throws TypeError on a stored plan that was edited by hand, as does `observe`. */
  apply(planned: PlannedStep, context: ApplyContext): Promise<ApplyResult>;
  observe(planned: PlannedStep, context: ApplyContext): Promise<Progress>;
  /** Nothing for an action whose changes need no further write. */
  advance(planned: PlannedStep, context: ApplyContext): Promise<Advance>;
  /** The way back from what the change became, as a plan of the same action under the same name. */
  reverse(planned: PlannedStep, after: StepEnd): PlannedStep;
  /** Whether a stored plan is one of this action's. */
  understands(planned: PlannedStep): boolean;
}

export function bindStep<Spec, Plan extends PlannedStep>(
  name: string,
  action: Action<Spec, Plan>,
  spec: Spec,
): BoundStep {
  function narrowed(planned: PlannedStep): Plan {
    const plan = action.narrow(planned);
    if (plan === undefined) throw new TypeError(`the plan of step ${name} was edited by hand`);
    return plan;
  }
  return {
    name,
    kind: action.kind,
    makesRelease: action.makesRelease,
    changesTemplate: action.changesTemplate,
    object: action.objectOf(spec),
    rights: action.requiredRights(spec),
    lockKeys: (namespace) => action.lockKeys(spec, namespace),
    plan: (context) => action.plan(name, spec, context),
    apply: async (planned, context) => action.apply(narrowed(planned), context, spec),
    observe: async (planned, context) => action.observe(narrowed(planned), context),
    advance: async (planned, context) =>
      (await action.advance?.(narrowed(planned), context)) ?? { message: "" },
    reverse: (planned, after) => action.reverse(narrowed(planned), after),
    understands: (planned) => action.narrow(planned) !== undefined,
  };
}
