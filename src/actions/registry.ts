import type { SoakRuns } from "../checks/soak-runs.ts";
import type { CheckStep } from "../crds/verification.ts";
import { bindStep, type BoundStep } from "./bound-step.ts";
import { checkAction } from "./check/index.ts";
import { workloadAction, type WorkloadSpec } from "./workload/index.ts";

export interface ActionOptions {
  /** How long image and configuration errors of a restored version are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
  /** Soaks that are under way. */
  readonly soaks: SoakRuns;
}

/** A step with everything filled in that its spec left open; exactly one member besides the name. */
export interface StepSpecs {
  readonly workload?: WorkloadSpec;
  readonly check?: CheckStep;
}

/** Finds the action of a step. */
export interface Actions {
  /** Throws TypeError for a step without a known member, which the schema does not let through. */
  bind(name: string, step: StepSpecs): BoundStep;
}

/** Every kind of step: a new one is a folder beside this file, a member of StepSpecs and a line here. */
export function createActions({ stuckAfterMs, soaks }: ActionOptions): Actions {
  const workload = workloadAction({ stuckAfterMs });
  return {
    bind(name, step) {
      if (step.workload !== undefined) return bindStep(name, workload, step.workload);
      if (step.check !== undefined) return bindStep(name, checkAction(soaks, step.check), step.check);
      throw new TypeError(`step ${name} has no kind that this operator knows`);
    },
  };
}
