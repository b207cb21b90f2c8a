import type { VerificationCheck } from "../../crds/verification.ts";
import type { Rollout } from "../../kube/rollout-types.ts";
import { isInRollout, podLabelOf, podRevisionOf, podsOfRevisions } from "../../workloads/pods.ts";
import { liveRevisionOf } from "../../workloads/live-revision.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import {
  fail,
  noVerdict,
  pass,
  sampleEach,
  workloadRights,
  type Check,
  type CheckContext,
  type CheckSample,
  type Restored,
} from "../check.ts";

type VersionSpec = NonNullable<VerificationCheck["version"]>;

/** The restored template is live, and no pod of another version is left, but where a partition keeps it. */
export const versionCheck: Check<VersionSpec> = {
  kind: "version",
  requiredRights: (_spec, workloads) => workloadRights(workloads),
  windowMs: () => 0,
  sample: (_spec, context) => sampleEach(context.restored, (workload) => sampleVersion(workload, context)),
};

async function sampleVersion(
  { kind, name, revision: expected }: Restored,
  { executor, namespace, signal }: CheckContext,
): Promise<CheckSample> {
  const found = await readWorkload(executor, { kind, namespace, name }, signal);
  if (found === undefined) return fail(`${kind}/${name} is gone`);
  const live = liveRevisionOf(found);
  if (live === undefined) return noVerdict("the revision of the live template is not recorded yet");
  if (live.uid !== expected.uid) return fail(`revision ${live.revision} (${live.podTemplateHash}) is live`);
  if (found.kind === "Rollout" && isRouted(found.object)) {
    return sampleRouted(found.object, expected.podTemplateHash);
  }
  const all = await podsOfRevisions(found, found.revisions, executor, signal);
  const pods = all.filter((pod) => isInRollout(pod, found));
  const label = podLabelOf(kind, expected);
  const others = pods.filter((pod) => podRevisionOf(kind, pod) !== label).length;
  if (others > 0) return fail(`${others} of ${pods.length} pods run another version`);
  return pass(`${expected.podTemplateHash} on ${pods.length} pods`);
}

/** Pods of other versions may be left, for a quick way back; what sends requests leaves them out. */
function isRouted({ spec }: Rollout): boolean {
  const { blueGreen, canary } = spec.strategy ?? {};
  return blueGreen !== undefined || canary?.trafficRouting !== undefined;
}

function sampleRouted({ status }: Rollout, hash: string): CheckSample {
  const { stableRS, blueGreen } = status ?? {};
  const gets = blueGreen?.activeSelector ?? stableRS;
  if (stableRS === hash && gets === hash) return pass(`${hash} is stable and gets the traffic`);
  return fail(`${gets ?? "no version"} gets the traffic, ${stableRS ?? "none"} is stable, not ${hash}`);
}
