import type { PlannedStep, RollbackRequestSpec, StepStatus } from "../../../crds/rollback-request.ts";
import type { Situation } from "../situation.ts";
import { AFTER, AT, FROM, PLAN, requestOf, situationOf } from "./situations.ts";

export const step = (name: string, object = name) => ({
  name,
  timeout: "5m",
  workload: { kind: "Deployment" as const, name: object, to: { strategy: "Previous" as const } },
});
export const planOf = (name: string, object = name): PlannedStep => ({
  ...PLAN,
  name,
  digest: `d-${name}`,
  object: `Deployment/${object}`,
});
export const done = (name: string): StepStatus => ({
  name,
  state: "Succeeded",
  startedAt: AT,
  appliedAt: AT,
  finishedAt: AT,
  before: FROM,
  after: AFTER,
});
export const superseded = { kind: "Superseded", message: "somebody else" } as const;
export const stuck = { kind: "Failed", reason: "Stuck", message: "no pods" } as const;
export const on = { killSwitch: { kind: "On", message: "stopped" } } as const;
export const abort = { annotations: { "rollback.llm-research-lab.io/abort": "true" } };

type OnFailure = RollbackRequestSpec["onFailure"];

interface Third {
  readonly onFailure?: OnFailure;
  readonly third?: Partial<StepStatus>;
  readonly known?: Partial<Situation>;
  readonly request?: Parameters<typeof requestOf>[0];
}

/** A request of three steps whose first two are done, and that undoes what it did when one fails. */
export function inThird({ onFailure = "Compensate", third, known, request }: Third): Situation {
  const steps = [step("first"), step("second"), step("third")];
  return situationOf(
    requestOf({
      ...request,
      spec: { steps, onFailure, ...request?.spec },
      status: {
        observedGeneration: -1,
        plan: { digest: "d", steps: [planOf("first"), planOf("second"), planOf("third")] },
        steps: [done("first"), done("second"), { name: "third", state: "Applying", startedAt: AT, ...third }],
      },
    }),
    known,
  );
}
