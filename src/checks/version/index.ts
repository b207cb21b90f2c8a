import type { VerificationCheck } from "../../crds/verification.ts";
import { podsOfRevisions, podTemplateHashOf } from "../../workloads/pods.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { liveRevision } from "../../workloads/revisions.ts";
import { fail, noVerdict, NOTHING_RESTORED, pass, workloadRights, type Check } from "../check.ts";

type VersionSpec = NonNullable<VerificationCheck["version"]>;

/** The restored template is live, and no pod of another version is left. */
export const versionCheck: Check<VersionSpec> = {
  kind: "version",
  requiredRights: (_spec, workload) => workloadRights(workload),
  windowMs: () => 0,
  async sample(_spec, { executor, namespace, restored, signal }) {
    if (restored === undefined) return NOTHING_RESTORED;
    const { workload, revision: expected } = restored;
    const found = await readWorkload(executor, namespace, workload, signal);
    if (found === undefined) return fail(`Deployment/${workload} is gone`);
    const live = liveRevision(found.deployment, found.revisions);
    if (live === undefined) return noVerdict("the live template has no ReplicaSet yet");
    if (live.uid !== expected.uid) return fail(`revision ${live.revision} (${live.podTemplateHash}) is live`);
    const pods = await podsOfRevisions(found.deployment, found.revisions, executor, signal);
    const others = pods.filter((pod) => podTemplateHashOf(pod) !== expected.podTemplateHash).length;
    if (others > 0) return fail(`${others} of ${pods.length} pods run another version`);
    return pass(`${expected.podTemplateHash} on ${pods.length} pods`);
  },
};
