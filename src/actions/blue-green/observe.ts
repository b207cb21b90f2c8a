import {
  endpointSliceType,
  MANAGED_BY,
  SERVICE_NAME,
  SLICE_CONTROLLER,
  type EndpointSlice,
} from "../../kube/endpoint-slice.ts";
import { serviceType } from "../../kube/well-known.ts";
import type { ApplyContext, Progress } from "../action.ts";
import { superseded } from "../results.ts";
import { parseObject, readTarget } from "../scale-target.ts";
import { readiness, selectedPods, wantedPods } from "./color-pods.ts";
import { serviceName, type BlueGreenPlan } from "./end.ts";
import { selectorDigest, selectorOf } from "./selector.ts";

/** Endpoints follow within milliseconds, without any news to us. */
const POLL_MS = 250;

/** How far the endpoints follow: done when all of them are pods of the colour, as many as are wanted of them Ready. */
export async function observeBlueGreen(plan: BlueGreenPlan, context: ApplyContext): Promise<Progress> {
  const { executor, namespace, signal } = context;
  const { object, to } = plan;
  const name = serviceName(object);
  const service = await executor.tryGet(serviceType, { namespace, name }, { signal });
  if (service === undefined) return superseded(`${object} is gone`);
  if (service.metadata.uid !== plan.objectUid) return superseded(`${object} was deleted and created again`);
  const selector = selectorOf(service);
  const digest = selectorDigest(selector);
  if (digest === plan.from.selectorDigest) {
    const numbers = await readiness(plan, service, context);
    return superseded(`${object} has color ${plan.from.color}; ${numbers.message}`);
  }
  if (digest !== to.selectorDigest) {
    return superseded(`the selector of ${object} was changed by somebody else after the act`);
  }
  const after = to;
  const inProgress = (message: string): Progress => ({
    kind: "InProgress",
    message,
    pollAfterMs: POLL_MS,
    after,
  });
  const workload = await readTarget(executor, namespace, parseObject(to.workload), signal);
  if (workload === undefined) return inProgress(`${to.workload} is gone`);
  const [slices, { own }] = await Promise.all([
    executor.list(endpointSliceType, { namespace, labelSelector: `${SERVICE_NAME}=${name}`, signal }),
    selectedPods(workload, selector, context),
  ]);
  const { ready, others } = count(slices.items, new Set(own.map(({ metadata }) => metadata.uid)));
  const wanted = wantedPods(to);
  const numbers = `${ready}/${wanted} endpoints are Ready pods of ${to.workload}`;
  if (others > 0) return inProgress(`${numbers}, ${others} are not pods of it`);
  return ready >= wanted ? { kind: "Done", message: numbers, after } : inProgress(numbers);
}

/** Each pod once, though it may stand in a slice of each address family. */
function count(
  slices: readonly EndpointSlice[],
  own: ReadonlySet<string>,
): { readonly ready: number; readonly others: number } {
  const endpoints = slices
    .filter(({ metadata }) => metadata.labels?.[MANAGED_BY] === SLICE_CONTROLLER)
    .flatMap(({ endpoints: each }) => each ?? []);
  const isOwn = (uid: string | undefined): uid is string => uid !== undefined && own.has(uid);
  const ready = endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .map(({ targetRef }) => targetRef?.uid)
    .filter(isOwn);
  const others = endpoints.filter(({ targetRef }) => !isOwn(targetRef?.uid));
  return { ready: new Set(ready).size, others: others.length };
}
