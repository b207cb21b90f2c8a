import type { Service } from "../../kube/well-known.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { autoscalersOf } from "../autoscalers.ts";
import type { ScaleTarget } from "../scale-target.ts";
import type { Selector } from "../selects.ts";
import type { BlueGreenEnd, BlueGreenPlan, BlueGreenSpec } from "./end.ts";
import { selectorDigest } from "./selector.ts";

export type Unplannable = Exclude<PlanResult<BlueGreenPlan>, { kind: "Planned" }>;
export type Color = BlueGreenSpec["colors"][number];

/** The colour that is left and the one that is made, each with its workload. */
export interface Ends {
  readonly left: Color;
  readonly made: Color;
  /** Undefined where the old colour's workload is gone. */
  readonly from: ScaleTarget | undefined;
  readonly to: ScaleTarget;
}

/** The colour that is live and the one that is asked for; only named ones count. */
export function colorsOf(
  { spec: { selector = {}, type } }: Service,
  { label, to, colors }: BlueGreenSpec,
  object: string,
): { readonly left: Color; readonly made: Color } | Unplannable {
  if (type === "ExternalName" || Object.keys(selector).length === 0) {
    return refused("NoSelector", `${object} has no selector, so it has no colour that could be changed`);
  }
  const left = colors.find(({ color }) => color === selector[label]);
  const made = colors.find(({ color }) => color === to);
  const known = colors.map(({ color }) => color).join(", ");
  if (left === undefined || made === undefined) {
    const live = selector[label] === undefined ? `no ${label}` : `${label}=${selector[label]}`;
    return refused(
      "UnknownColor",
      `${object} selects ${live}, which is none of the colors ${known}: name it among them, or set the selector yourself`,
    );
  }
  return { left, made };
}

/** As many as the live colour wants, which in trouble is more than it has. */
export async function podsOf(
  { kind, name }: Color,
  from: ScaleTarget | undefined,
  { executor, namespace, signal }: PlanContext,
): Promise<number> {
  const { hpa } = await autoscalersOf({ kind, name }, executor, namespace, signal);
  return Math.max(1, from?.replicas ?? 0, hpa?.status?.desiredReplicas ?? 0);
}

export function endOf(
  { label }: BlueGreenSpec,
  color: Color,
  pods: number,
  selector: Selector,
): BlueGreenEnd {
  return {
    color: color.color,
    colorLabel: label,
    workload: titleOf(color),
    pods,
    selectorDigest: selectorDigest(selector),
  };
}

export function titleOf({ kind, name }: Color): string {
  return `${kind}/${name}`;
}

export function refused(reason: string, message: string): Extract<Unplannable, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}
