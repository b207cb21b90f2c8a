import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { isConflict } from "../../kube/errors.ts";
import { keyOf } from "../../kube/objects.ts";
import { ROLLBACK_POLICIES, type RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { overall } from "../../decision/sample.ts";
import type { SignalSubject, SubjectRevision } from "../../signals/source.ts";
import type { RevisionIdentity } from "../../workloads/revisions.ts";
import { targetHash } from "../ledger/ledger.ts";
import { closePolicy, compilePolicy, type CompiledPolicy } from "./compile.ts";
import { annotationProblems } from "./annotations.ts";
import { annotated, decideAndAct } from "./decision.ts";
import { rollbackTarget } from "./ledger-view.ts";
import { POLICIES_BY_TARGET, policyTarget, REPLICA_SETS_BY_OWNER, type PolicyPorts } from "./ports.ts";
import { readinessInTurn, readinessNow, wouldRollBack } from "./readiness-now.ts";
import type { RollbackReadiness } from "./readiness.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";
import type { GoingBreaches } from "./going-breaches.ts";
import { createRuntime, type PolicyRuntime } from "./runtime.ts";
import { tick } from "./sample.ts";
import { gridOf, newestInstant, untilNext } from "./schedule.ts";
import { bakeRelease, followRelease } from "./release.ts";
import {
  breachOf,
  matrixFacts,
  policyStatus,
  signalFacts,
  standingOf,
  type Breach,
  type PolicyFacts,
  type Standing,
} from "./status.ts";
import { toRelease, viewTarget, type TargetView } from "./target.ts";
import type { Turns } from "./turns.ts";

/** After losing a status write to another writer: look again soon. */
const AFTER_CONFLICT_MS = 50;

/** A pass waits for its turn to make a plan at most so long, and comes back soon when it did not come. */
const LONGEST_WAIT_MS = 20_000;
const AFTER_NO_TURN_MS = 1_000;

/** What the controller remembers. */
export interface PolicyMemory {
  /** Of every policy, by its key. */
  readonly runtimes: Map<string, PolicyRuntime>;
  readonly recent: RecentRollbacks;
  readonly breaches: GoingBreaches;
  /** Of plans that are made only to be shown. */
  readonly turns: Turns;
}

/** One pass over one policy: a tick when one is due, and its status when something changed. */
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
    memory.runtimes.delete(key);
    memory.breaches.forget(key);
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
    await writeBlocked(ports, runtime, policy, blocked ?? problemsOf(compiled), signal);
    return { done: true };
  }
  const target = targetOf(policy);
  const deployment = ports.deployments.get(`${target.namespace}/${target.name}`);
  if (deployment === undefined) {
    const message = `Deployment/${target.name} does not exist in namespace ${target.namespace}: create it, or mend spec.target`;
    const standing = { kind: "Stalled", reason: "TargetNotFound", message } as const;
    await writeBlocked(ports, runtime, policy, standing, signal);
    return { done: true };
  }
  return evaluate(ports, memory, runtime, compiled, policy, deployment, signal);
}

async function evaluate(
  ports: PolicyPorts,
  memory: PolicyMemory,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  policy: RollbackPolicy,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const target = targetOf(policy);
  const view = viewTarget(
    deployment,
    ports.replicaSets.byIndex(REPLICA_SETS_BY_OWNER, deployment.metadata.uid),
  );
  let ledger = await followRelease(ports, runtime, compiled, target, view, ledgerOf(ports, target), signal);
  const now = ports.clock.now();
  const grid = gridOf(runtime.uid, compiled.view.intervalMs);
  const at = newestInstant(grid, now);
  // An instant before the last one: the clock was set back.
  if (at !== runtime.lastTickAt) {
    await tick(runtime, compiled, at, subjectOf(target, view, ledger), signal);
    runtime.undecided = true;
    for (const reading of runtime.readings.values()) ports.observer.sampled(overall(reading).kind);
    ledger = await bakeRelease(ports, runtime, compiled, target, view, ledger, signal);
  }
  // Sampling took its time: a policy that was suspended meanwhile must not act any more.
  if (isOutdated(ports, policy)) return { afterMs: 0 };
  const subject = { runtime, policy, deployment, view, ledger };
  if (runtime.undecided) {
    const readiness = wouldRollBack(runtime) ? await readinessNow(ports, subject, signal) : runtime.readiness;
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
    await decideAndAct(ports, context, signal);
    runtime.undecided = false;
  }
  // Never longer than to the next tick: a breach must be seen then, however many policies wait for their turn.
  const patienceMs = Math.min(untilNext(grid, ports.clock.now()), LONGEST_WAIT_MS);
  const ready = await readinessInTurn(ports, memory.turns, subject, patienceMs, signal);
  const facts = factsOf(policy, runtime, compiled, view, ledger, ready, ports.clock.now());
  await write(
    ports,
    policy,
    standingOf(runtime, compiled, facts, now, annotationProblems(annotated(policy, deployment))),
    rollbackReadyOf(policy, ready),
    breachOf(runtime, now),
    facts,
    signal,
  );
  // A server that needs longer than an interval is not asked again at once: whole intervals are left out.
  const afterMs = untilNext(grid, ports.clock.now());
  return { afterMs: ready === undefined ? Math.min(afterMs, AFTER_NO_TURN_MS) : afterMs };
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

function subjectOf(
  { namespace }: TargetKey,
  { desiredReplicas, live, revisions }: TargetView,
  ledger: RollbackLedgerSpec | undefined,
): SignalSubject {
  if (live === undefined) return { namespace, desiredReplicas, live, rollbackTarget: undefined };
  const release = toRelease(live, ledger);
  return {
    namespace,
    desiredReplicas,
    live: { ...subjectRevision(live), startedAt: release.startedAt },
    // Few sources ask for it.
    get rollbackTarget() {
      const good = rollbackTarget(release, ledger, revisions);
      const revision = revisions.find(({ uid }) => uid === good?.replicaSetUid);
      return revision === undefined ? undefined : subjectRevision(revision);
    },
  };
}

function subjectRevision({ uid, name, revision }: RevisionIdentity): SubjectRevision {
  return { replicaSetUid: uid, name, revision };
}

/** The newest of the cached ledger and what this process wrote itself is found by the next read; a cache may lag. */
function ledgerOf(ports: PolicyPorts, target: TargetKey): RollbackLedgerSpec | undefined {
  return ports.ledgers.get(`${target.namespace}/${targetHash(target)}`)?.spec;
}

function factsOf(
  policy: RollbackPolicy,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  view: TargetView,
  ledger: RollbackLedgerSpec | undefined,
  readiness: RollbackReadiness | undefined,
  now: number,
): PolicyFacts {
  const rollbackTarget = readiness === undefined ? policy.status?.rollbackTarget : readiness.target;
  const { live } = view;
  const started = ledger?.releases.findLast(
    (each) => each.replicaSetUid === live?.uid && each.revision === live.revision,
  );
  const good = ledger?.knownGood.findLast(
    (each) => each.replicaSetUid === live?.uid && each.revision === live.revision,
  );
  return {
    signals: signalFacts(policy, runtime, compiled, now),
    matrix: matrixFacts(compiled),
    ...(runtime.prepared === undefined ? {} : { prepared: runtime.prepared }),
    ...(live === undefined
      ? {}
      : {
          release: {
            revision: live.revision,
            replicaSetUid: live.uid,
            podTemplateHash: live.podTemplateHash,
            ...(started?.startedAt === undefined ? {} : { startedAt: started.startedAt }),
            ...(good === undefined ? {} : { knownGoodSince: good.since }),
          },
        }),
    ...(rollbackTarget === undefined ? {} : { rollbackTarget }),
    ...decisionFact(policy, runtime),
  };
}

function decisionFact(policy: RollbackPolicy, runtime: PolicyRuntime): Pick<PolicyFacts, "lastDecision"> {
  const lastDecision = runtime.lastDecision ?? policy.status?.lastDecision;
  return lastDecision === undefined ? {} : { lastDecision };
}

/** Before this process has asked, what was found out before stays: it is as good as it was a moment ago. */
function rollbackReadyOf(
  { metadata, status }: RollbackPolicy,
  readiness: RollbackReadiness | undefined,
): Breach {
  if (readiness !== undefined) {
    const { ready, reason, message } = readiness;
    return { status: ready ? "True" : "False", reason, message };
  }
  const before = status?.conditions?.find(({ type }) => type === "RollbackReady");
  if (before !== undefined && before.observedGeneration === metadata.generation)
    return { status: before.status, reason: before.reason, message: before.message };
  return {
    status: "Unknown",
    reason: "NotAsked",
    message: "many policies wait for a plan, this one among them",
  };
}

/** A policy that evaluates nothing: its other conditions say that they are not known. */
function writeBlocked(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  policy: RollbackPolicy,
  standing: Standing,
  signal: AbortSignal,
): Promise<void> {
  const { reason, message } = standing;
  const unready: Breach = { status: "False", reason, message };
  const unknown: Breach = { status: "Unknown", reason, message: "nothing is evaluated" };
  return write(ports, policy, standing, unready, unknown, decisionFact(policy, runtime), signal);
}

async function write(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  standing: Standing,
  rollbackReady: Breach,
  breached: Breach,
  facts: PolicyFacts,
  signal: AbortSignal,
): Promise<void> {
  // The newest version that the cache holds: sampling took its time.
  const current = ports.policies.get(keyOf(policy)) ?? policy;
  // The change that brought another spec has queued the next pass.
  if (isOutdated(ports, policy)) return;
  const status = policyStatus(current, standing, rollbackReady, breached, facts, ports.clock.now());
  await writeStatus(ports.client, ROLLBACK_POLICIES, current, status, { signal });
}

/** Whether the cache holds another spec than the one that was looked at. */
function isOutdated({ policies }: PolicyPorts, policy: RollbackPolicy): boolean {
  const current = policies.get(keyOf(policy))?.metadata;
  return current?.uid !== policy.metadata.uid || current.generation !== policy.metadata.generation;
}

export function targetOf({ metadata, spec }: RollbackPolicy): TargetKey {
  return {
    group: "apps",
    kind: spec.target.kind,
    namespace: metadata.namespace ?? "",
    name: spec.target.name,
  };
}
