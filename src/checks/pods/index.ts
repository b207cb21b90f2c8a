import type { VerificationCheck } from "../../crds/verification.ts";
import type { Pod } from "../../kube/well-known.ts";
import { podComplaints } from "../../workloads/pod-complaints.ts";
import { isPodReady, podsOfRevisions } from "../../workloads/pods.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { fail, noVerdict, NOTHING_RESTORED, pass, unsettled, workloadRights, type Check } from "../check.ts";

type PodsSpec = NonNullable<VerificationCheck["pods"]>;

const DEFAULT_PROGRESS_DEADLINE_S = 600;

/**
 * Every wanted pod of the restored version is there and Ready. Pods that a scale-up (or an eviction) has just made get
 * time to start: while only such are missing, the sample is Unsettled.
 */
export const podsCheck: Check<PodsSpec> = {
  kind: "pods",
  requiredRights: (_spec, workload) => workloadRights(workload),
  windowMs: () => 0,
  async sample(_spec, { executor, namespace, restored, now, signal }) {
    if (restored === undefined) return NOTHING_RESTORED;
    const { workload, revision } = restored;
    const found = await readWorkload(executor, namespace, workload, signal);
    if (found === undefined) return fail(`Deployment/${workload} is gone`);
    const { replicas = 1, progressDeadlineSeconds = DEFAULT_PROGRESS_DEADLINE_S } = found.deployment.spec;
    if (replicas === 0) return noVerdict("0 pods wanted");
    const pods = await podsOfRevisions(found.deployment, [revision], executor, signal);
    const waiting = pods.filter((pod) => !isPodReady(pod));
    const ready = pods.length - waiting.length;
    const value = `${ready}/${replicas} ready`;
    if (ready >= replicas) return pass(value);
    const broken = waiting.filter((pod) => !isStarting(pod, now, progressDeadlineSeconds * 1_000));
    if (broken.length > 0) return fail(value);
    return unsettled(`${value}, the others just made or not there yet`);
  },
};

/** Young, never was Ready or restarted as far as it shows, and nothing to complain about. */
function isStarting(pod: Pod, now: number, graceMs: number): boolean {
  const age = now - Date.parse(pod.metadata.creationTimestamp);
  const restarted = (pod.status?.containerStatuses ?? []).some(({ restartCount }) => restartCount > 0);
  return age < graceMs && !restarted && podComplaints([pod]).length === 0 && !wasReady(pod);
}

/** The kubelet writes Ready=False once, when the pod begins; a later transition means that it was Ready in between. */
function wasReady(pod: Pod): boolean {
  const conditions = pod.status?.conditions ?? [];
  const at = (type: string) => conditions.find((each) => each.type === type)?.lastTransitionTime ?? "";
  const initialized = Date.parse(at("Initialized"));
  const changed = Date.parse(at("Ready"));
  return changed > initialized;
}
