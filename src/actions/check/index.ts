import type { SoakRuns } from "../../checks/soak-runs.ts";
import type { SoakState } from "../../checks/soak-runs.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import type { CheckStep } from "../../crds/verification.ts";
import { cutText } from "../../kube/conditions.ts";
import type { Action, Progress } from "../action.ts";
import { digestOf } from "../digest.ts";

/** What the schema allows for the object of a step. */
const LONGEST_OBJECT = 320;

/**
 * A gate between two steps: the request goes on only when every check has passed its soak. It writes nothing. Missing
 * data is not a pass here either: then the request ends before the next step. Each instance is for one step, as the
 * checks are in its spec and not in its plan.
 */
export function checkAction(runs: SoakRuns, spec: CheckStep): Action<CheckStep, PlannedStep> {
  const object = objectOf(spec);
  return {
    kind: "check",
    makesRelease: false,
    changesTemplate: false,
    objectOf,
    // A right that is missing is a warning of the plan, as for the checks of the verification.
    requiredRights: () => [],
    lockKeys: () => [],
    async plan(name, _spec, { executorName }) {
      const digest = digestOf({ action: "check", spec, executor: executorName });
      return {
        kind: "Planned",
        plan: { name, digest, action: "check", object, changes: [], warnings: [] },
      };
    },
    narrow: (planned) => (planned.action === "check" && planned.object === object ? planned : undefined),
    apply: async () => ({ kind: "Applied", alreadyThere: false }),
    async observe(_plan, { executor, namespace, now, signal, appliedAt, soak }) {
      const context = { executor, namespace, now, signal, restored: soak.restored, signals: soak.signals };
      return progressOf(await runs.advance(soak.key, spec, appliedAt ?? now, context), now);
    },
    reverse: (plan) => plan,
  };
}

function objectOf({ checks }: CheckStep): string {
  return cutText(`Checks/${checks.map(({ name }) => name).join(",")}`, LONGEST_OBJECT);
}

function progressOf({ checks, endAt, nextAt }: SoakState, now: number): Progress {
  const of = (outcome: (typeof checks)[number]["outcome"]) =>
    checks.filter((each) => each.outcome === outcome);
  const told = (some: typeof checks) => some.map(({ name, value }) => `${name} ${value}`).join(", ");
  const failed = of("Failed");
  if (failed.length > 0) return { kind: "Failed", reason: "CheckFailed", message: told(failed) };
  if (of("Pending").length > 0) {
    const until = new Date(endAt).toISOString().slice(11, 19);
    const message = `checking until ${until} UTC: ${checks.map(({ name }) => name).join(", ")}`;
    return { kind: "InProgress", message, pollAfterMs: Math.max(0, nextAt - now) };
  }
  const unclear = of("Inconclusive");
  if (unclear.length > 0) {
    return { kind: "Failed", reason: "CheckInconclusive", message: `data was missing: ${told(unclear)}` };
  }
  return { kind: "Done", message: told(checks) };
}
