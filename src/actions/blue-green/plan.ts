import { serviceType, type Service } from "../../kube/well-known.ts";
import { ownershipOf } from "../../workloads/ownership.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { readTarget, templateOf } from "../scale-target.ts";
import { boundedWarnings } from "../warnings.ts";
import { selectedPods, servingPods } from "./color-pods.ts";
import { colorsOf, endOf, podsOf, refused, titleOf, type Ends, type Unplannable } from "./colors.ts";
import type { BlueGreenPlan, BlueGreenSpec } from "./end.ts";
import { sameVersion, unfit, versionWarnings } from "./preflight.ts";
import { rehearse } from "./rehearse.ts";
import { selectorDigest, selectorOf } from "./selector.ts";
import { lowering, raises, type Measures } from "./temporary.ts";

/** Looks at the Service and both colours, and tries without storing; changes nothing. */
export async function planBlueGreen(
  stepName: string,
  spec: BlueGreenSpec,
  context: PlanContext,
): Promise<PlanResult<BlueGreenPlan>> {
  const { executor, namespace, signal } = context;
  const object = `Service/${spec.service}`;
  const service = await executor.tryGet(serviceType, { namespace, name: spec.service }, { signal });
  if (service === undefined || service.metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${namespace}`);
  }
  const colors = colorsOf(service, spec, object);
  if ("kind" in colors) return colors;
  const { left, made } = colors;
  const [from, to] = await Promise.all([
    readTarget(executor, namespace, left, signal),
    readTarget(executor, namespace, made, signal),
  ]);
  if (to === undefined || to.workload.metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${titleOf(made)} does not exist in namespace ${namespace}`);
  }
  const ends = { left, made, from, to };
  if (left === made) return nothingToDo(service, spec, ends, context);
  if (context.earlier !== undefined) {
    return refused(
      "InvalidSteps",
      `an earlier step moves ${object} already: name its last colour in one step`,
    );
  }
  const live = selectorDigest(selectorOf(service));
  if (context.from?.selectorDigest !== undefined && context.from.selectorDigest !== live) {
    const message = `${object} was changed since this request was accepted: nothing was changed`;
    return { kind: "Superseded", message };
  }
  return planFlip(stepName, service, spec, ends, context);
}

async function nothingToDo(
  service: Service,
  spec: BlueGreenSpec,
  { made, to }: Ends,
  context: PlanContext,
): Promise<Unplannable> {
  const selector = selectorOf(service);
  const { own } = await selectedPods(to, selector, context);
  const serving = servingPods(own, service).length;
  const wanted = spec.replicas ?? 1;
  return {
    kind: "NothingToDo",
    message: `Service/${spec.service} has color ${spec.to} already`,
    incomplete:
      serving >= wanted ? undefined : `${serving}/${wanted} pods of ${titleOf(made)} are Ready for it`,
    live: endOf(spec, made, to.replicas, selector),
  };
}

async function planFlip(
  name: string,
  service: Service,
  spec: BlueGreenSpec,
  ends: Ends,
  context: PlanContext,
): Promise<PlanResult<BlueGreenPlan>> {
  const { left, made, from, to } = ends;
  const object = `Service/${spec.service}`;
  const ownership = await ownershipOf({ kind: "Service", object: service }, context);
  if (ownership.kind === "Foreign") return refused("TargetOwned", `${object} is ${ownership.message}`);
  const before = selectorOf(service);
  const after = { ...before, [spec.label]: spec.to };
  const problem = unfit(service, after, templateOf(to), titleOf(made));
  if (problem !== undefined) return refused(problem.reason, problem.message);
  if (from !== undefined && sameVersion(templateOf(from), templateOf(to))) {
    return refused(
      "SameVersion",
      `${titleOf(made)} runs the same version as ${titleOf(left)}: another color would change nothing`,
    );
  }
  const { strangers } = await selectedPods(to, after, context);
  if (strangers.length > 0) {
    const names = strangers.slice(0, 3).map(({ metadata }) => metadata.name);
    return refused(
      "SelectorMismatch",
      `${object} would also select pods that are not of ${titleOf(made)}, such as ${names.join(", ")}: change their labels, or its selector`,
    );
  }
  const pods = spec.replicas ?? (await podsOf(left, from, context));
  const fromEnd = endOf(spec, left, from?.replicas ?? 0, before);
  const toEnd = endOf(spec, made, pods, after);
  const around = { spec, serviceUid: service.metadata.uid, context };
  const measures = await together([
    raises(to, pods, fromEnd.selectorDigest, around),
    from && lowering(from, toEnd.selectorDigest, around),
  ]);
  if (measures.kind === "Refused") return refused(measures.reason, measures.message);
  const rehearsal = await rehearse(service, spec, measures.changes, context);
  if (rehearsal !== undefined) return rehearsal;
  const warnings = [
    ...ownership.warnings,
    ...(from === undefined
      ? [`${titleOf(left)} does not exist: there is no way back to color ${left.color}`]
      : versionWarnings(templateOf(from), templateOf(to))),
    ...measures.warnings,
  ];
  const identity = {
    action: "blueGreen",
    object,
    objectUid: service.metadata.uid,
    from: fromEnd,
    to: toEnd,
  };
  const digest = digestOf({
    ...identity,
    // Numbers of pods come and go with the load.
    from: { ...fromEnd, pods: undefined },
    to: { ...toEnd, pods: spec.replicas },
    holdFor: spec.holdFor,
    afterHold: spec.afterHold,
    executor: context.executorName,
  });
  const { changes } = measures;
  return {
    kind: "Planned",
    plan: {
      name,
      digest,
      ...identity,
      ...(changes.length === 0 ? {} : { temporary: [...changes] }),
      changes: [`spec.selector[${spec.label}]`],
      warnings: boundedWarnings([...new Set(warnings)]),
    },
  };
}

async function together(parts: readonly (Promise<Measures> | undefined)[]): Promise<Measures> {
  const all = await Promise.all(parts.filter((part) => part !== undefined));
  const refusal = all.find((each) => each.kind === "Refused");
  if (refusal !== undefined) return refusal;
  const possible = all.filter((each) => each.kind === "Possible");
  return {
    kind: "Possible",
    changes: possible.flatMap(({ changes }) => changes),
    warnings: possible.flatMap(({ warnings }) => warnings),
  };
}
