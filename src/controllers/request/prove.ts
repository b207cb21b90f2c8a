import type { RequestPorts } from "./ports.ts";
import { activityOf, plannedStep, writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { checkFacts } from "./status.ts";

/** Takes the samples that are due; the status is written when an outcome changed, not at every sample. */
export async function verify(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const step = request.status?.steps?.[0];
  const now = ports.clock.now();
  const verification = await ports.verifications.advance(
    request.metadata.uid,
    resolution,
    Date.parse(step?.finishedAt ?? new Date(now).toISOString()),
    {
      executor: ports.client.as({
        namespace: resolution.target.namespace,
        name: resolution.serviceAccountName,
      }),
      namespace: resolution.target.namespace,
      workload: resolution.target.name,
      expected: step?.after ?? plannedStep(request).to,
      signals: resolution.signals,
      now,
      signal,
    },
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
