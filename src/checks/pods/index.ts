import type { VerificationCheck } from "../../crds/verification.ts";
import { isPodReady, podsOfRevisions } from "../../workloads/pods.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { fail, noVerdict, pass, type Check } from "../check.ts";

type PodsSpec = NonNullable<VerificationCheck["pods"]>;

/** Every wanted pod of the restored version is there and Ready. */
export const podsCheck: Check<PodsSpec> = {
  kind: "pods",
  windowMs: () => 0,
  async sample(_spec, { executor, namespace, workload, expected, signal }) {
    const found = await readWorkload(executor, namespace, workload, signal);
    if (found === undefined) return fail(`Deployment/${workload} is gone`);
    const wanted = found.deployment.spec.replicas ?? 1;
    if (wanted === 0) return noVerdict("0 pods wanted");
    const pods = await podsOfRevisions(found.deployment, [expected], executor, signal);
    const ready = pods.filter(isPodReady).length;
    const value = `${ready}/${wanted} ready`;
    return ready >= wanted ? pass(value) : fail(value);
  },
};
