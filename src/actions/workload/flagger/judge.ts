import type { Canary } from "../../../kube/flagger-types.ts";
import type { Unresolved } from "../resolve.ts";

/** Whether Flagger would carry a restored template of its target on to the copy that serves. */
export type CanaryVerdict =
  { readonly kind: "Passed"; readonly promotedBy: string; readonly warnings: readonly string[] } | Unresolved;

const POLL_MS = 1_000;

/** Phases in which a new template of the target is looked at, and none is half-way to the primary. */
const AT_REST = ["Initialized", "Succeeded", "Failed"];
const ANALYSING = ["Progressing", "Waiting", "WaitingPromotion"];

/** What of a plan depends on the Canary that names its Deployment. Pure. */
export function judgeCanary(object: string, { metadata, spec, status }: Canary): CanaryVerdict {
  const { namespace = "", name } = metadata;
  const { phase = "" } = status ?? {};
  if (phase === "") {
    return {
      kind: "Refused",
      reason: "TargetOwned",
      message: `${object} is managed by Flagger Canary ${namespace}/${name}, which Flagger has not looked at yet: try again when "kubectl get canary ${name}" says Initialized`,
    };
  }
  if (spec.suspend === true) {
    return {
      kind: "Refused",
      reason: "Paused",
      message: `${object}: Flagger Canary ${name} is suspended, so a restored template would not be promoted: set spec.suspend to false first`,
    };
  }
  const promotedBy = `Canary/${name}`;
  if (ANALYSING.includes(phase)) {
    const warning = `the analysis of Flagger Canary ${name} that is under way goes on with the restored version, failed checks of before count: give the step a timeout that is long enough for it`;
    return { kind: "Passed", promotedBy, warnings: [warning] };
  }
  if (!AT_REST.includes(phase)) {
    const message = `${object}: Flagger Canary ${name} is ${phase}; the plan waits until that is over`;
    return { kind: "Pending", message, pollAfterMs: POLL_MS };
  }
  const warning =
    spec.skipAnalysis === true
      ? `Flagger Canary ${name} skips its analysis: the restored version is promoted as soon as its pods are ready`
      : `Flagger Canary ${name} analyses the restored version before it is promoted: give the step a timeout that is long enough, or set its spec.skipAnalysis to true first`;
  return { kind: "Passed", promotedBy, warnings: [warning] };
}

/** Whether the phase says that Flagger does nothing more by itself. */
export function isAtRest({ status }: Canary): boolean {
  return AT_REST.includes(status?.phase ?? "");
}
