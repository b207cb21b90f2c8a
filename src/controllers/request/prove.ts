import type { CheckContext } from "../../checks/check.ts";
import { revisionOf } from "../../crds/rollback-request.ts";
import type { RequestPorts } from "./ports.ts";
import { activityOf, writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { checkFacts } from "./status.ts";

/** Takes the samples that are due; the status is written when an outcome changed, not at every sample. */
export async function verify(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const now = ports.clock.now();
  const finishedAt = request.status?.timeline?.completed ?? new Date(now).toISOString();
  const verification = await ports.verifications.advance(
    request.metadata.uid,
    resolution,
    Date.parse(finishedAt),
    checkContext(ports, situation, now, signal),
  );
  const outcomes = (checks: readonly { readonly name: string; readonly outcome: string }[]) =>
    checks.map(({ name, outcome }) => `${name}=${outcome}`).join();
  if (outcomes(request.status?.checks ?? []) === outcomes(verification.checks))
    return { ...situation, verification };
  const written = await writeRunning(
    ports,
    situation,
    checkFacts(verification.checks),
    activityOf(request),
    signal,
  );
  return { ...written, verification };
}

/** The version that the checks of a workload go by is that of the first step which rolled one back. */
function checkContext(
  ports: RequestPorts,
  { request, resolution }: ResolvedSituation,
  now: number,
  signal: AbortSignal,
): CheckContext {
  const { namespace = "" } = request.metadata;
  const index = resolution.steps.findIndex(({ action }) => action.makesRelease);
  const revision = revisionOf(
    request.status?.steps?.[index]?.after ?? request.status?.plan?.steps[index]?.to,
  );
  const workload = resolution.steps[index]?.targets[0]?.name;
  return {
    executor: ports.client.as({ namespace, name: resolution.serviceAccountName }),
    namespace,
    restored: revision === undefined || workload === undefined ? undefined : { workload, revision },
    signals: resolution.signals,
    now,
    signal,
  };
}
