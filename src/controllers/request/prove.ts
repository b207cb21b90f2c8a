import type { CheckContext } from "../../checks/check.ts";
import type { RequestPorts } from "./ports.ts";
import { restoredSoFar } from "./restored.ts";
import { accountOf, activityOf, writeRunning, type ResolvedSituation } from "./running.ts";
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
    resolution.verification,
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

function checkContext(
  ports: RequestPorts,
  situation: ResolvedSituation,
  now: number,
  signal: AbortSignal,
): CheckContext {
  const { request, resolution } = situation;
  const account = accountOf(situation);
  return {
    executor: ports.client.as(account),
    namespace: account.namespace,
    restored: restoredSoFar(request, resolution),
    signals: resolution.signals,
    now,
    signal,
  };
}
