import type { VerificationCheck } from "../../crds/verification.ts";
import type { Pod } from "../../kube/well-known.ts";
import { podComplaints } from "../../workloads/pod-complaints.ts";
import { isInRollout, isPodReady, podsOfRevisions } from "../../workloads/pods.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { hasReplicaSets, partitionOf, type LiveWorkload } from "../../workloads/workload.ts";
import {
  fail,
  noVerdict,
  pass,
  sampleEach,
  unsettled,
  workloadRights,
  type Check,
  type CheckContext,
  type CheckSample,
  type Restored,
} from "../check.ts";

type PodsSpec = NonNullable<VerificationCheck["pods"]>;

const DEFAULT_PROGRESS_DEADLINE_S = 600;

/**
 * Every wanted pod of the restored version is there and Ready. Pods that a scale-up (or an eviction) has just made get
 * time to start: while only such are missing, the sample is Unsettled.
 */
export const podsCheck: Check<PodsSpec> = {
  kind: "pods",
  requiredRights: (_spec, workloads) => workloadRights(workloads),
  windowMs: () => 0,
  sample: (_spec, context) => sampleEach(context.restored, (workload) => samplePods(workload, context)),
};

async function samplePods(
  { kind, name, revision }: Restored,
  { executor, namespace, now, signal }: CheckContext,
): Promise<CheckSample> {
  const found = await readWorkload(executor, { kind, namespace, name }, signal);
  if (found === undefined) return fail(`${kind}/${name} is gone`);
  const wanted = wantedPods(found);
  if (wanted === 0) return noVerdict("0 pods wanted");
  const all = await podsOfRevisions(found, [revision], executor, signal);
  const pods = all.filter((pod) => isInRollout(pod, found));
  const waiting = pods.filter((pod) => !isPodReady(pod));
  const ready = pods.length - waiting.length;
  const value = `${ready}/${wanted} ready`;
  if (ready >= wanted) return pass(value);
  const broken = waiting.filter((pod) => !isStarting(pod, now, graceMs(found)));
  if (broken.length > 0) return fail(value);
  return unsettled(`${value}, the others just made or not there yet`);
}

/** How many pods the restored version should have; a partition keeps the others at theirs. */
function wantedPods(workload: LiveWorkload): number {
  switch (workload.kind) {
    case "Deployment":
    case "Rollout":
      return workload.object.spec.replicas ?? 1;
    case "StatefulSet":
      return Math.max(0, (workload.object.spec.replicas ?? 1) - partitionOf(workload.object));
    case "DaemonSet":
      return workload.object.status?.desiredNumberScheduled ?? 0;
  }
}

/** How long a pod may take to start, milliseconds. */
function graceMs(workload: LiveWorkload): number {
  const seconds = hasReplicaSets(workload) ? workload.object.spec.progressDeadlineSeconds : undefined;
  return (seconds ?? DEFAULT_PROGRESS_DEADLINE_S) * 1_000;
}

/** Young, never was Ready or restarted as far as it shows, and nothing to complain about. */
function isStarting(pod: Pod, now: number, grace: number): boolean {
  const age = now - Date.parse(pod.metadata.creationTimestamp);
  const restarted = (pod.status?.containerStatuses ?? []).some(({ restartCount }) => restartCount > 0);
  return age < grace && !restarted && podComplaints([pod]).length === 0 && !wasReady(pod);
}

/** The kubelet writes Ready=False once, when the pod begins; a later transition means that it was Ready in between. */
function wasReady(pod: Pod): boolean {
  const conditions = pod.status?.conditions ?? [];
  const at = (type: string) => conditions.find((each) => each.type === type)?.lastTransitionTime ?? "";
  const initialized = Date.parse(at("Initialized"));
  const changed = Date.parse(at("Ready"));
  return changed > initialized;
}
