import { byStrategy, type StrategyChoice } from "./by-strategy.ts";
import { contentOf, withValues, type Content } from "../../config-maps/content.ts";
import { readSnapshotNamed } from "../../config-maps/snapshot-store.ts";
import type { ConfigMap } from "../../kube/well-known.ts";
import type { PlanContext } from "../action.ts";
import type { ConfigMapStep } from "../../crds/steps.ts";

export type Choice = StrategyChoice;

/** The content that `to` means, read now. Throws KubeError. */
export async function chooseContent(
  spec: ConfigMapStep,
  map: ConfigMap,
  context: PlanContext,
): Promise<Choice> {
  const { strategy, snapshot, values } = spec.to;
  if (values !== undefined) return chosen(withValues(contentOf(map), values));
  if (snapshot !== undefined) return fromSnapshot(snapshot, spec.name, context);
  return strategy === undefined ? valuesGone(spec.name) : byStrategy(strategy, spec.name, map, context);
}

async function fromSnapshot(snapshot: string, name: string, context: PlanContext): Promise<Choice> {
  const found = await readSnapshotNamed(context, snapshot);
  if (found?.subject === name) return chosen(found.content);
  return refused(
    "SnapshotNotFound",
    found === undefined
      ? `ConfigMap/${snapshot} does not exist, or is no snapshot that is whole: name another one of ConfigMap/${name}`
      : `ConfigMap/${snapshot} is a snapshot of ${found.subject}, not of ConfigMap/${name}: name one of that`,
  );
}

/** A status keeps no values of a policy's plan, and the plan is another one now. */
export function valuesGone(name: string): Extract<Choice, { kind: "Refused" }> {
  return refused(
    "PlanChanged",
    `the values for ConfigMap/${name} came from a plan of the policy that was changed since: make a new request`,
  );
}

function chosen(content: Content, warnings: readonly string[] = []): Choice {
  return { kind: "Chosen", content, warnings };
}

function refused(reason: string, message: string): Extract<Choice, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}
