import { createHash } from "node:crypto";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { errorMessage } from "../../kube/errors.ts";
import { planNames } from "../../decision/default-matrix.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { keyOf } from "../../kube/objects.ts";
import { isFinished, isWaitingForApproval } from "../request/phase.ts";
import { BY_TARGET } from "../request/request-controller.ts";
import { REQUESTS_BY_POLICY } from "./history.ts";
import { viewLedger } from "./ledger-view.ts";
import { policyTarget, type PolicyPorts } from "./ports.ts";
import {
  askReadiness,
  countReadiness,
  expiresIn,
  goodFor,
  isCurrent,
  type ReadinessAnswer,
  type RollbackReadiness,
} from "./readiness.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { toRelease, type TargetView } from "./target.ts";

/**
 * Plans that are made at the same time only to be shown. Each is a dozen calls: those of a thousand policies at once,
 * as when an operator starts, would keep each other waiting until none ends in time.
 */
export const READINESS_TURNS = 8;

/** What a plan is made from. */
export interface ReadinessSubject {
  readonly runtime: PolicyRuntime;
  readonly policy: RollbackPolicy;
  readonly deployment: Deployment;
  readonly view: TargetView;
  readonly ledger: RollbackLedgerSpec | undefined;
}

/** Whether a row fires that would roll back: then whether it can is asked at once, ahead of all turns. */
export function wouldRollBack({ evaluations }: PolicyRuntime): boolean {
  return evaluations.some(({ row, fires }) => fires && row.action !== "Notify");
}

/** The answer to the question as it is now, asked at once when the known one is stale. */
export async function readinessNow(
  ports: PolicyPorts,
  subject: ReadinessSubject,
  signal: AbortSignal,
): Promise<RollbackReadiness> {
  const { runtime, policy, ledger } = subject;
  const { readiness } = runtime;
  const question = questionOf(ports, subject);
  const now = ports.clock.now();
  const firing = wouldRollBack(runtime);
  if (readiness !== undefined && isCurrent(readiness, question, firing, now)) return readiness;
  const [plan] = planNames(policy.spec.plans);
  const answer = await askReadiness(ports, policy, ledger, plan, signal).catch(
    (error: unknown): ReadinessAnswer => {
      if (signal.aborted) throw error;
      const message = `no plan could be made: ${errorMessage(error)}`;
      return { ready: false, reason: "CannotPlan", message, target: undefined };
    },
  );
  const goodForMs = goodFor(ports.policies.size);
  runtime.readiness = countReadiness(answer, { question, firing, askedAt: now, goodForMs }, readiness);
  return runtime.readiness;
}

/**
 * Whether a rollback of the policy's target is on its way to its act. A plan beside its own would only take its time, and
 * what would be planned then is known when it has acted.
 */
export function isActing(ports: PolicyPorts, policy: RollbackPolicy): boolean {
  const [target = ""] = policyTarget(policy);
  const requests = [
    ...ports.requests.byIndex(REQUESTS_BY_POLICY, keyOf(policy)),
    ...ports.requests.byIndex(BY_TARGET, target),
  ];
  return requests.some(
    (request) =>
      !isFinished(request) &&
      request.status?.phase !== "Verifying" &&
      !isWaitingForApproval(request) &&
      !request.spec.dryRun,
  );
}

/** The known answer while it holds, and the question as it is now. */
export function currentReadiness(
  ports: PolicyPorts,
  subject: ReadinessSubject,
): { readonly answer: RollbackReadiness | undefined; readonly question: string } {
  const { readiness } = subject.runtime;
  const question = questionOf(ports, subject);
  const holds = isCurrent(readiness, question, wouldRollBack(subject.runtime), ports.clock.now());
  return { answer: holds ? readiness : undefined, question };
}

/** Asks for a policy in its turn, when its answer does not hold any more; calls back when there is a new one. */
export async function refreshReadiness(
  ports: PolicyPorts,
  subject: ReadinessSubject | undefined,
  onAnswer: () => void,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  // The end of what is under way wakes the policy, which asks again.
  if (subject === undefined || isActing(ports, subject.policy)) return { done: true };
  const { runtime } = subject;
  const before = runtime.readiness;
  const answer = await readinessNow(ports, subject, signal);
  if (answer !== before) onAnswer();
  return { afterMs: expiresIn(answer, ports.clock.now()) };
}

/** Everything that the answer hangs on and that is watched; a digest, since annotations may be a quarter of a megabyte. */
function questionOf(ports: PolicyPorts, { policy, deployment, view, ledger }: ReadinessSubject): string {
  const { labels, annotations, ownerReferences } = deployment.metadata;
  const facts = JSON.stringify([
    view.live?.uid,
    view.revisions.map(({ uid }) => uid),
    ledger?.knownGood.map(({ replicaSetUid }) => replicaSetUid),
    ledger?.marks.map(({ replicaSetUid }) => replicaSetUid),
    attemptsOf(ports, policy, view, ledger),
    // Who owns the workload stands in its metadata.
    [labels, annotations, ownerReferences, deployment.spec.paused],
    // A person who mended a right may want to know at once: any annotation on the policy asks again.
    [policy.metadata.generation, policy.metadata.annotations],
  ]);
  return createHash("sha256").update(facts).digest("base64");
}

/** States of the automatic requests of the live release: one that came to nothing shows that the answer was wrong. */
function attemptsOf(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  { live }: TargetView,
  ledger: RollbackLedgerSpec | undefined,
): readonly string[] {
  if (live === undefined) return [];
  const find = (name: string) => ports.requests.get(`${policy.metadata.namespace}/${name}`);
  const { requestsOfRelease } = viewLedger(ledger, toRelease(live, ledger), find, ports.clock.now());
  return requestsOfRelease.map(({ state }) => state);
}
