import { canaryType, type Canary } from "../../../kube/flagger-types.ts";
import { listIfServed } from "../../../kube/list-if-served.ts";
import { deploymentType, type Deployment } from "../../../kube/well-known.ts";
import { rolloutState } from "../../../workloads/rollout-state.ts";
import type { ApplyContext } from "../../action.ts";
import { isAtRest } from "./judge.ts";

/** How far Flagger is with the restored template. */
export interface Promotion {
  readonly kind: "Done" | "InProgress" | "Failed";
  readonly message: string;
}

/**
 * The target's own pods come and go; what serves is the copy. So done is when that has the template, all its pods, and
 * Flagger is at rest. Throws KubeError.
 */
export async function promotionOf(
  promotedBy: string,
  target: Deployment,
  { executor, namespace, signal, appliedAt = 0 }: ApplyContext,
): Promise<Promotion> {
  const name = promotedBy.slice(promotedBy.indexOf("/") + 1);
  const primaryName = `${target.metadata.name}-primary`;
  const [canaries, primary] = await Promise.all([
    listIfServed(canaryType, executor, namespace, signal),
    executor.tryGet(deploymentType, { namespace, name: primaryName }, { signal }),
  ]);
  const canary = canaries.items.find(({ metadata }) => metadata.name === name);
  if (canaries.warnings.length > 0) return { kind: "InProgress", message: canaries.warnings.join("; ") };
  if (canary === undefined) return failed(`Flagger Canary ${name} is gone: nothing promotes the template`);
  if (primary === undefined) return failed(`Deployment/${primaryName} is gone, which serves`);
  return judgePromotion(canary, primary, target, appliedAt);
}

/** `appliedAt` is milliseconds since the epoch. Pure. */
export function judgePromotion(
  canary: Canary,
  primary: Deployment,
  target: Deployment,
  appliedAt: number,
): Promotion {
  const { phase = "", lastTransitionTime = "" } = canary.status ?? {};
  const said = `Flagger Canary ${canary.metadata.name}: ${phase}`;
  if (!isCopyOf(primary.spec.template.spec, target.spec.template.spec)) {
    // An analysis that failed before the change says nothing about it.
    const isOurs = phase === "Failed" && Date.parse(lastTransitionTime) > appliedAt;
    const words = canary.status?.conditions?.find(({ type }) => type === "Promoted")?.message ?? "";
    return isOurs
      ? failed(`${said}, so Deployment/${primary.metadata.name} keeps the version that it had: ${words}`)
      : { kind: "InProgress", message: `${said}; the restored version is not promoted yet` };
  }
  const state = rolloutState(primary);
  const message = `Deployment/${primary.metadata.name} ${state.message}; ${said}`;
  return { kind: state.complete && isAtRest(canary) ? "Done" : "InProgress", message };
}

/** Flagger names its copies of ConfigMaps and Secrets, and the values of its own label, with `-primary` behind. */
function isCopyOf(copy: unknown, original: unknown): boolean {
  if (typeof original === "string") return copy === original || copy === `${original}-primary`;
  if (Array.isArray(original)) {
    return (
      Array.isArray(copy) &&
      copy.length === original.length &&
      original.every((each, index) => isCopyOf(copy[index], each))
    );
  }
  if (typeof original !== "object" || original === null) return copy === original;
  if (typeof copy !== "object" || copy === null || Array.isArray(copy)) return false;
  const [a, b] = [copy, original] as readonly Readonly<Record<string, unknown>>[];
  const keys = new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]);
  return [...keys].every((key) => isCopyOf(a?.[key], b?.[key]));
}

function failed(message: string): Promotion {
  return { kind: "Failed", message };
}
