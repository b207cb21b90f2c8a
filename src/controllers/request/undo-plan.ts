import type { Progress } from "../../actions/action.ts";
import type { PlannedStep, StepEnd, StepStatus } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { changedSteps, type OpenStep } from "./journal.ts";
import type { ResolvedStep } from "./resolve-steps.ts";

/** What the schema allows for the name of a step. */
const LONGEST_NAME = 63;

/** A step that takes another one back. */
export interface Undo {
  readonly undoes: string;
  readonly planned: PlannedStep;
}

/**
 * What takes back all that was changed, the newest change first: the finished steps, and what the failed one stored of
 * its own change. Pure.
 */
export function undosOf(
  request: RollbackRequest,
  steps: readonly ResolvedStep[],
  failed: OpenStep,
  progress: Progress | undefined,
): readonly Undo[] {
  const changed = [...changedSteps(request), ...(mayBeStored(failed, progress) ? [failed] : [])];
  const taken = new Set((request.status?.steps ?? []).map(({ name }) => name));
  return changed.toReversed().flatMap(({ index }): Undo[] => {
    const undone = request.status?.steps?.[index]?.name;
    if (undone === undefined) return [];
    const name = freeName(undone, taken);
    taken.add(name);
    const planned = undoPlan(request, steps, undone, name);
    return planned === undefined ? [] : [{ undoes: undone, planned }];
  });
}

/**
 * The way back of a step, as it is now. What was undone before it on the same object, a restart of the same Deployment,
 * left it in a newer state than the step itself: that state is ours as well. Undefined for a step that is not planned.
 */
export function undoPlan(
  { status }: RollbackRequest,
  steps: readonly ResolvedStep[],
  undoes: string,
  name: string,
): PlannedStep | undefined {
  const index = (status?.steps ?? []).findIndex((step) => step.name === undoes);
  const [planned, step] = [status?.plan?.steps[index], status?.steps?.[index]];
  const action = steps[index]?.action;
  if (planned === undefined || step === undefined || action === undefined) return undefined;
  const left = (status?.steps ?? []).flatMap((each, at): StepEnd[] => {
    const isOnSameObject = status?.plan?.steps[at]?.object === planned.object;
    return each.undoes !== undefined && isOnSameObject && each.after !== undefined ? [each.after] : [];
  });
  // A change that its controller never took up became what was planned, if anything.
  const end: StepEnd = Object.assign({}, step.after ?? planned.to, ...left);
  return { ...action.reverse(planned, end), name };
}

/** Where a change was not stored, the way back of it finds its work done. */
function mayBeStored({ planned, status }: OpenStep, progress: Progress | undefined): boolean {
  if (planned.objectUid === undefined) return false;
  if (status.appliedAt !== undefined) return true;
  const isUnknown = progress?.kind === "InProgress" || progress?.kind === "Unreadable";
  return status.state === "Applying" && isUnknown;
}

/** `undo-site`; somebody may have called a step of the spec so. */
function freeName(undone: StepStatus["name"], taken: ReadonlySet<string>): string {
  const name = `undo-${undone}`.slice(0, LONGEST_NAME).replace(/-+$/, "");
  for (let ordinal = 2, free = name; ; ordinal += 1) {
    if (!taken.has(free)) return free;
    const suffix = `-${ordinal}`;
    free = name.slice(0, LONGEST_NAME - suffix.length) + suffix;
  }
}
