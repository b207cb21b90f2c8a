import type { SoakRuns } from "../checks/soak-runs.ts";
import type { CheckStep } from "../crds/verification.ts";
import { blueGreenAction, type BlueGreenSpec } from "./blue-green/index.ts";
import { bindStep, type BoundStep } from "./bound-step.ts";
import { canaryAction, type CanarySpec } from "./canary/index.ts";
import { checkAction } from "./check/index.ts";
import { configMapAction, type ConfigMapSpec } from "./config-map/index.ts";
import { featureFlagAction, type FlagSpec } from "./feature-flag/index.ts";
import { restartAction, type RestartSpec } from "./restart/index.ts";
import { scaleAction, type ScaleSpec } from "./scale/index.ts";
import { workloadAction, type WorkloadSpec } from "./workload/index.ts";

export interface WritingActionOptions {
  /** How long image and configuration errors of new pods are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

export interface ActionOptions extends WritingActionOptions {
  /** Soaks that are under way. */
  readonly soaks: SoakRuns;
}

/** A step with everything filled in that its spec left open; exactly one member besides the name. */
export interface StepSpecs {
  readonly workload?: WorkloadSpec | undefined;
  readonly scale?: ScaleSpec | undefined;
  readonly restart?: RestartSpec | undefined;
  readonly canary?: CanarySpec | undefined;
  readonly blueGreen?: BlueGreenSpec | undefined;
  readonly configMap?: ConfigMapSpec | undefined;
  readonly featureFlag?: FlagSpec | undefined;
  readonly check?: CheckStep | undefined;
}

/** Finds the action of a step. */
export interface Actions {
  /** Throws TypeError for a step without a known member, which the schema does not let through. */
  bind(name: string, step: StepSpecs): BoundStep;
}

/** Every kind of step: a new one is a folder beside this file, a member of StepSpecs and two lines here. */
export function createActions({ soaks, ...options }: ActionOptions): Actions {
  const { workload, scale, restart, blueGreen, canary, configMap, featureFlag } = writingActions(options);
  return {
    bind(name, step) {
      if (step.workload !== undefined) return bindStep(name, workload, step.workload);
      if (step.scale !== undefined) return bindStep(name, scale, step.scale);
      if (step.restart !== undefined) return bindStep(name, restart, step.restart);
      if (step.blueGreen !== undefined) return bindStep(name, blueGreen, step.blueGreen);
      if (step.canary !== undefined) return bindStep(name, canary, step.canary);
      if (step.configMap !== undefined) return bindStep(name, configMap, step.configMap);
      if (step.featureFlag !== undefined) return bindStep(name, featureFlag, step.featureFlag);
      if (step.check !== undefined) return bindStep(name, checkAction(soaks, step.check), step.check);
      throw new TypeError(`step ${name} has no kind that this operator knows`);
    },
  };
}

/** The actions that change something, by the member of a step that holds their spec. */
export function writingActions(options: WritingActionOptions) {
  return {
    workload: workloadAction(options),
    scale: scaleAction(options),
    restart: restartAction(options),
    blueGreen: blueGreenAction(options),
    canary: canaryAction,
    configMap: configMapAction(options),
    featureFlag: featureFlagAction(options),
  };
}
