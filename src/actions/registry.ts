import { bindStep, type BoundStep } from "./bound-step.ts";
import { workloadAction, type WorkloadSpec } from "./workload/index.ts";

export interface ActionOptions {
  /** How long image and configuration errors of a restored version are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** A step with everything filled in that its spec left open; exactly one member besides the name. */
export interface StepSpecs {
  readonly workload?: WorkloadSpec;
}

/** Finds the action of a step. */
export interface Actions {
  /** Throws TypeError for a step without a known member, which the schema does not let through. */
  bind(name: string, step: StepSpecs): BoundStep;
}

/** Every kind of step: a new one is a folder beside this file, a member of StepSpecs and a line here. */
export function createActions({ stuckAfterMs }: ActionOptions): Actions {
  const workload = workloadAction({ stuckAfterMs });
  return {
    bind(name, step) {
      if (step.workload !== undefined) return bindStep(name, workload, step.workload);
      throw new TypeError(`step ${name} has no kind that this operator knows`);
    },
  };
}
