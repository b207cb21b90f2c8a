import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { isConflict } from "../../kube/errors.ts";
import { keyOf } from "../../kube/objects.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { ledgerKey } from "../ledger/ledger.ts";
import { closePolicy, compilePolicy, type CompiledPolicy } from "./compile.ts";
import { annotated, annotationProblems } from "./annotations.ts";
import { factsOf, rollbackReadyOf } from "./facts.ts";
import { finder } from "./decide-now.ts";
import { decideAndAct } from "./decision.ts";
import { unmadeRequests } from "./ledger-view.ts";
import { POLICIES_BY_TARGET, policyTarget, REPLICA_SETS_BY_OWNER, type PolicyPorts } from "./ports.ts";
import {
  currentReadiness,
  isActing,
  readinessNow,
  wouldRollBack,
  type ReadinessSubject,
} from "./readiness-now.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";
import type { GoingBreaches } from "./going-breaches.ts";
import { followRelease, recordBaked } from "./release.ts";
import { createRuntime, type PolicyRuntime } from "./runtime.ts";
import { gridOf } from "./schedule.ts";
import { situationOf } from "./situation.ts";
import { breachOf } from "./breach-condition.ts";
import { standingOf, type Standing } from "./status.ts";
import { viewTarget, type TargetView } from "./target.ts";
import type { Ticker } from "./ticker.ts";
import { isOutdated, writeBlocked, writePolicyStatus } from "./write-status.ts";

/** After losing a status write to another writer: look again soon. */
const AFTER_CONFLICT_MS = 50;

/** What only tells of a rollback waits so long for the rollback itself: both want the same API server and processor. */
export const ACT_FIRST_MS = 100;

/** A status that waits for an answer about to come is written without it after this time. */
const LONGEST_WAIT_MS = 1_000;

/** What the controller remembers. */
export interface PolicyMemory {
  /** Of every policy, by its key. */
  readonly runtimes: Map<string, PolicyRuntime>;
  readonly recent: RecentRollbacks;
  readonly breaches: GoingBreaches;
  readonly ticker: Pick<Ticker<PolicyRuntime>, "set" | "remove">;
  readonly readiness: ReadinessQueue;
}

/** Plans that are made only to be shown, a few at a time. */
export interface ReadinessQueue {
  ask(key: string): void;
  /** Nobody waits: an answer comes in the time that a plan takes. */
  readonly isIdle: boolean;
}

/**
 * One pass over one policy: after a change of an object, when an evaluation brought news, or to try again. It decides
 * on the newest evaluation, and writes the status when that changed. Evaluations themselves are the ticker's.
 */
export async function reconcilePolicy(
  ports: PolicyPorts,
  memory: PolicyMemory,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const policy = ports.policies.get(key);
  if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) {
    const gone = memory.runtimes.get(key);
    if (gone !== undefined) closePolicy(gone.compiled);
    memory.ticker.remove(key);
    memory.runtimes.delete(key);
    memory.breaches.forget(key);
    ports.unaskedRuns.forget(key);
    return { done: true };
  }
  const runtime = runtimeOf(ports, memory.runtimes, key, policy);
  try {
    return await pass(ports, memory, runtime, policy, signal);
  } catch (error) {
    if (!isConflict(error)) throw error;
    return { afterMs: AFTER_CONFLICT_MS };
  }
}

async function pass(
  ports: PolicyPorts,
  memory: PolicyMemory,
  runtime: PolicyRuntime,
  policy: RollbackPolicy,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { compiled } = runtime;
  const blocked = stalledBefore(ports, policy, compiled);
  if (blocked !== undefined || compiled.kind === "Refused") {
    rest(ports, memory, runtime, policy);
    await writeBlocked(ports, runtime, policy, blocked ?? problemsOf(compiled), signal);
    return { done: true };
  }
  const target = targetOf(policy);
  const deployment = ports.deployments.get(`${target.namespace}/${target.name}`);
  if (deployment === undefined) {
    const message = `Deployment/${target.name} does not exist in namespace ${target.namespace}: create it, or mend spec.target`;
    const standing = { kind: "Stalled", reason: "TargetNotFound", message } as const;
    rest(ports, memory, runtime, policy);
    await writeBlocked(ports, runtime, policy, standing, signal);
    return { done: true };
  }
  return attend(ports, memory, runtime, compiled, policy, deployment, signal);
}

/** Nothing is to be evaluated until another pass says so. */
function rest(
  ports: PolicyPorts,
  { ticker, breaches }: PolicyMemory,
  runtime: PolicyRuntime,
  policy: RollbackPolicy,
): void {
  runtime.situation = undefined;
  ticker.remove(keyOf(policy));
  // What is not looked at any more says nothing about a shared dependency.
  breaches.forget(keyOf(policy));
  ports.unaskedRuns.forget(keyOf(policy));
}

async function attend(
  ports: PolicyPorts,
  memory: PolicyMemory,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  policy: RollbackPolicy,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const key = keyOf(policy);
  const target = targetOf(policy);
  const view = viewOf(ports, deployment);
  const cached = ledgerOf(ports, target);
  // Before anything is written: evaluations must not go on about the release of before while the API server is slow.
  runtime.situation = situationOf(target.namespace, view, cached);
  memory.ticker.set(key, gridOf(groupOf(runtime, compiled), compiled.view.intervalMs), runtime);
  const followed = await followRelease(ports, runtime, compiled, target, view, cached, signal);
  const ledger = await recordBaked(ports, runtime, compiled, target, view, followed, signal);
  if (ledger !== cached) runtime.situation = situationOf(target.namespace, view, ledger);
  const at = runtime.lastTickAt;
  // The first evaluation is under way, and wakes this policy.
  if (at === undefined) return { done: true };
  // A pass may have waited: a policy that was suspended meanwhile must not act any more.
  if (isOutdated(ports, policy)) return { afterMs: 0 };
  const subject = { runtime, policy, deployment, view, ledger };
  if (at !== runtime.decidedAt) {
    const asks = wouldRollBack(runtime) && !isActing(ports, policy);
    const readiness = asks ? await readinessNow(ports, subject, signal) : runtime.readiness;
    if (isOutdated(ports, policy)) return { afterMs: 0 };
    const { recent, breaches } = memory;
    const context = {
      runtime,
      recent,
      breaches,
      compiled,
      policy,
      target,
      deployment,
      view,
      ledger,
      readiness,
    };
    // Of evaluations that come meanwhile the next pass decides: they have woken it.
    const decidedAt = runtime.lastTickAt;
    const { made } = runtime;
    await decideAndAct(ports, context, signal);
    runtime.decidedAt = decidedAt;
    if (runtime.made !== made) runtime.actingUntil = ports.clock.monotonic() + ACT_FIRST_MS;
  }
  runtime.restless = unmadeRequests(ledger, finder(ports, target), ports.clock.now()).length > 0;
  const actsMs = runtime.actingUntil - ports.clock.monotonic();
  if (actsMs > 0) return { afterMs: actsMs };
  const { answer, question } = isActing(ports, policy)
    ? { answer: runtime.readiness, question: undefined }
    : currentReadiness(ports, subject);
  if (question !== undefined && runtime.asked?.question !== question) {
    // An answer that is at hand brings another pass, which writes everything at once.
    const patienceMs = memory.readiness.isIdle ? LONGEST_WAIT_MS : 0;
    memory.readiness.ask(key);
    runtime.asked = { question, waitUntil: ports.clock.monotonic() + patienceMs };
  }
  if (question !== undefined && answer === undefined) {
    memory.readiness.ask(key);
    const waitMs = (runtime.asked?.waitUntil ?? 0) - ports.clock.monotonic();
    if (waitMs > 0) return { afterMs: waitMs };
  }
  const now = ports.clock.now();
  const facts = factsOf(policy, runtime, compiled, view, ledger, answer, now);
  await writePolicyStatus(
    ports,
    policy,
    standingOf(runtime, compiled, facts, now, annotationProblems(annotated(policy, deployment))),
    rollbackReadyOf(policy, answer),
    breachOf(runtime, now),
    facts,
    signal,
  );
  return { done: true };
}

/** Policies that ask together are evaluated together: those of the same key. One signal of several decides for all. */
function groupOf({ uid }: PolicyRuntime, { signals }: CompiledPolicy): string {
  return signals.find(({ source }) => source.tickGroup !== undefined)?.source.tickGroup?.key ?? uid;
}

/** What stops a policy before anything is evaluated. */
function stalledBefore(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  compiled: PolicyRuntime["compiled"],
): Standing | undefined {
  const owner = ownerOfTarget(ports, policy);
  if (owner !== policy.metadata.name) {
    return {
      kind: "Stalled",
      reason: "TargetOwned",
      message: `RollbackPolicy ${owner} is older and owns Deployment/${policy.spec.target.name}; one policy per target: delete one of them`,
    };
  }
  if (compiled.kind === "Refused") return problemsOf(compiled);
  if (policy.spec.suspend) {
    return {
      kind: "Ready",
      reason: "Suspended",
      message: "suspended: nothing is evaluated and nothing is done",
    };
  }
  return undefined;
}

function problemsOf(compiled: PolicyRuntime["compiled"]): Standing {
  const problems = compiled.kind === "Refused" ? compiled.problems : [];
  return { kind: "Stalled", reason: "CannotEvaluate", message: problems.join("; ") };
}

/** One policy per target: the oldest owns it, by creation time and then UID. */
function ownerOfTarget(ports: PolicyPorts, policy: RollbackPolicy): string {
  const rivals = ports.policies
    .byIndex(POLICIES_BY_TARGET, policyTarget(policy)[0] ?? "")
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const [owner] = rivals.toSorted(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.uid < b.metadata.uid ? -1 : 1),
  );
  return owner?.metadata.name ?? policy.metadata.name;
}

function runtimeOf(
  ports: PolicyPorts,
  runtimes: PolicyMemory["runtimes"],
  key: string,
  policy: RollbackPolicy,
): PolicyRuntime {
  const known = runtimes.get(key);
  const generation = policy.metadata.generation ?? 1;
  const before = known?.uid === policy.metadata.uid ? known : undefined;
  // Another client of a server means another configuration of it: made queries do not fit it any more.
  const samplers = policy.spec.signals.map(({ prometheus, alert }) => {
    const server = (prometheus ?? alert)?.server;
    return server === undefined ? undefined : ports.servers.get(server)?.sampler;
  });
  const isSame = before?.samplers.every((sampler, index) => sampler === samplers[index]);
  if (before?.generation === generation && isSame === true) return before;
  // Before the new ones open: the policy may take its own seat again.
  if (known !== undefined) closePolicy(known.compiled);
  const created = createRuntime(
    key,
    policy.metadata.uid,
    generation,
    compilePolicy(policy, ports.servers, ports.cluster),
    samplers,
    ports.clock.now(),
    before,
  );
  runtimes.set(key, created);
  return created;
}

/** What a plan is made from that is only shown; undefined while the policy evaluates nothing. */
export function readinessSubject(
  ports: PolicyPorts,
  runtimes: PolicyMemory["runtimes"],
  key: string,
): ReadinessSubject | undefined {
  const policy = ports.policies.get(key);
  const runtime = runtimes.get(key);
  if (
    policy === undefined ||
    runtime?.situation === undefined ||
    runtime.generation !== policy.metadata.generation
  )
    return undefined;
  const target = targetOf(policy);
  const deployment = ports.deployments.get(`${target.namespace}/${target.name}`);
  if (deployment === undefined) return undefined;
  const view = viewOf(ports, deployment);
  return { runtime, policy, deployment, view, ledger: ledgerOf(ports, target) };
}

function viewOf(ports: PolicyPorts, deployment: Deployment): TargetView {
  return viewTarget(deployment, ports.replicaSets.byIndex(REPLICA_SETS_BY_OWNER, deployment.metadata.uid));
}

/** The newest of the cached ledger and what this process wrote itself is found by the next read; a cache may lag. */
function ledgerOf(ports: PolicyPorts, target: TargetKey): RollbackLedgerSpec | undefined {
  return ports.ledgers.get(ledgerKey(target))?.spec;
}

export function targetOf({ metadata, spec }: RollbackPolicy): TargetKey {
  return {
    group: "apps",
    kind: spec.target.kind,
    namespace: metadata.namespace ?? "",
    name: spec.target.name,
  };
}
