import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import type { BlueGreenStep } from "../../crds/steps.ts";

export type BlueGreenSpec = BlueGreenStep;

/** A colour as the one that has the traffic. */
export type BlueGreenEnd = StepEnd & {
  readonly color: string;
  /** Key of the selector whose value is the colour. */
  readonly colorLabel: string;
  /** As Kind/name. */
  readonly workload: string;
  /** Of `from` what it wanted, of `to` what it must have. */
  readonly pods: number;
  readonly selectorDigest: string;
};

/** A plan of this action always knows both colours, and both selectors by their digests. */
export type BlueGreenPlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: BlueGreenEnd;
  readonly to: BlueGreenEnd;
};

/** A stored plan with all that makes it one of this action, if it has that. */
export function narrowBlueGreen(planned: PlannedStep): BlueGreenPlan | undefined {
  const { objectUid } = planned;
  const [from, to] = [endOf(planned.from), endOf(planned.to)];
  if (objectUid === undefined || from === undefined || to === undefined) return undefined;
  // Without any difference there would be nothing to tell done from not done.
  return from.selectorDigest === to.selectorDigest ? undefined : { ...planned, objectUid, from, to };
}

function endOf(end: StepEnd | undefined): BlueGreenEnd | undefined {
  const { color, colorLabel, workload, pods, selectorDigest } = end ?? {};
  return color === undefined ||
    colorLabel === undefined ||
    workload === undefined ||
    pods === undefined ||
    selectorDigest === undefined
    ? undefined
    : { ...end, color, colorLabel, workload, pods, selectorDigest };
}

/** The inverse of `Service/name`. */
export function serviceName(object: string): string {
  return object.slice("Service/".length);
}
