import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { isConflict } from "../../kube/errors.ts";
import { keyOf } from "../../kube/objects.ts";
import { ROLLBACK_POLICIES, type RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { targetHash } from "../ledger/ledger.ts";
import { compilePolicy, type CompiledPolicy } from "./compile.ts";
import { decideAndAct } from "./decision.ts";
import { POLICIES_BY_TARGET, policyTarget, REPLICA_SETS_BY_OWNER, type PolicyPorts } from "./ports.ts";
import { askReadiness, isCurrent, type RollbackReadiness } from "./readiness.ts";
import { createRuntime, type PolicyRuntime } from "./runtime.ts";
import { tick } from "./sample.ts";
import { bakeRelease, followRelease } from "./release.ts";
import {
  breachOf,
  policyStatus,
  signalFacts,
  standingOf,
  type Breach,
  type PolicyFacts,
  type Standing,
} from "./status.ts";
import { viewTarget, type TargetView } from "./target.ts";

/** After losing a status write to another writer: look again soon. */
const AFTER_CONFLICT_MS = 50;

/** What is remembered of every policy, by its key. */
export type Runtimes = Map<string, PolicyRuntime>;

/** One pass over one policy: a tick when one is due, and its status when something changed. */
export async function reconcilePolicy(
  ports: PolicyPorts,
  runtimes: Runtimes,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const policy = ports.policies.get(key);
  if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) {
    runtimes.delete(key);
    return { done: true };
  }
  const runtime = runtimeOf(ports, runtimes, key, policy);
  try {
    return await pass(ports, runtime, policy, signal);
  } catch (error) {
    if (!isConflict(error)) throw error;
    return { afterMs: AFTER_CONFLICT_MS };
  }
}

async function pass(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  policy: RollbackPolicy,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { compiled } = runtime;
  const blocked = stalledBefore(ports, policy, compiled);
  if (blocked !== undefined || compiled.kind === "Refused") {
    await writeBlocked(ports, policy, blocked ?? problemsOf(compiled), signal);
    return { done: true };
  }
  const target = targetOf(policy);
  const deployment = ports.deployments.get(`${target.namespace}/${target.name}`);
  if (deployment === undefined) {
    const message = `Deployment/${target.name} does not exist in namespace ${target.namespace}: create it, or mend spec.target`;
    await writeBlocked(ports, policy, { kind: "Stalled", reason: "TargetNotFound", message }, signal);
    return { done: true };
  }
  return evaluate(ports, runtime, compiled, policy, deployment, signal);
}

async function evaluate(
  ports: PolicyPorts,
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
  let ledger = await followRelease(ports, runtime, target, view, ledgerOf(ports, target), signal);
  const now = ports.clock.now();
  const due = nextTick(runtime, compiled) <= now;
  if (due) {
    await tick(runtime, compiled, now, view.desiredReplicas, signal);
    for (const sample of runtime.samples.values()) ports.observer.sampled(sample.kind);
    ledger = await bakeRelease(ports, runtime, compiled, target, view, ledger, signal);
  }
  const ready = await readinessOf(ports, runtime, policy, view, ledger, signal);
  const facts = factsOf(policy, runtime, compiled, view, ledger, ready, ports.clock.now());
  const lastDecision = due
    ? await decideAndAct(ports, { runtime, compiled, policy, target, view, ledger, readiness: ready }, signal)
    : undefined;
  const told = lastDecision === undefined ? facts : { ...facts, lastDecision };
  await write(
    ports,
    policy,
    standingOf(runtime, compiled, facts, now),
    ready,
    breachOf(runtime, now),
    told,
    signal,
  );
  return { afterMs: Math.max(0, nextTick(runtime, compiled) - ports.clock.now()) };
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
  runtimes: Runtimes,
  key: string,
  policy: RollbackPolicy,
): PolicyRuntime {
  const known = runtimes.get(key);
  const generation = policy.metadata.generation ?? 1;
  if (known?.uid === policy.metadata.uid && known.generation === generation) return known;
  const created = createRuntime(
    policy.metadata.uid,
    generation,
    compilePolicy(policy, ports.servers),
    ports.clock.now(),
  );
  runtimes.set(key, created);
  return created;
}

/** The newest of the cached ledger and what this process wrote itself is found by the next read; a cache may lag. */
function ledgerOf(ports: PolicyPorts, target: TargetKey): RollbackLedgerSpec | undefined {
  return ports.ledgers.get(`${target.namespace}/${targetHash(target)}`)?.spec;
}

function nextTick({ lastTickAt }: PolicyRuntime, { view }: CompiledPolicy): number {
  return lastTickAt === undefined ? 0 : lastTickAt + view.intervalMs;
}

async function readinessOf(
  ports: PolicyPorts,
  runtime: PolicyRuntime,
  policy: RollbackPolicy,
  view: TargetView,
  ledger: RollbackLedgerSpec | undefined,
  signal: AbortSignal,
): Promise<RollbackReadiness> {
  const question = JSON.stringify([
    view.live?.uid,
    view.revisions.map(({ uid }) => uid),
    ledger?.knownGood.map(({ replicaSetUid }) => replicaSetUid),
    ledger?.marks.map(({ replicaSetUid }) => replicaSetUid),
    policy.metadata.generation,
  ]);
  if (runtime.readiness === undefined || !isCurrent(runtime.readiness, question, ports.clock.now())) {
    runtime.readiness = await askReadiness(ports, policy, ledger, question, signal);
  }
  return runtime.readiness;
}

function factsOf(
  policy: RollbackPolicy,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  view: TargetView,
  ledger: RollbackLedgerSpec | undefined,
  readiness: RollbackReadiness,
  now: number,
): PolicyFacts {
  const { live } = view;
  const started = ledger?.releases.findLast(
    (each) => each.replicaSetUid === live?.uid && each.revision === live.revision,
  );
  const good = ledger?.knownGood.findLast(
    (each) => each.replicaSetUid === live?.uid && each.revision === live.revision,
  );
  return {
    signals: signalFacts(policy, runtime, compiled, now),
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
    ...(readiness.target === undefined ? {} : { rollbackTarget: readiness.target }),
    ...(policy.status?.lastDecision === undefined ? {} : { lastDecision: policy.status.lastDecision }),
  };
}

/** A policy that evaluates nothing: its other conditions say that they are not known. */
function writeBlocked(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  standing: Standing,
  signal: AbortSignal,
): Promise<void> {
  const { reason, message } = standing;
  const unready: Pick<RollbackReadiness, "ready" | "reason" | "message"> = { ready: false, reason, message };
  const unknown: Breach = { status: "Unknown", reason, message: "nothing is evaluated" };
  const { lastDecision } = policy.status ?? {};
  return write(
    ports,
    policy,
    standing,
    unready,
    unknown,
    lastDecision === undefined ? {} : { lastDecision },
    signal,
  );
}

async function write(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  standing: Standing,
  readiness: Pick<RollbackReadiness, "ready" | "reason" | "message">,
  breached: Breach,
  facts: PolicyFacts,
  signal: AbortSignal,
): Promise<void> {
  const { ready, reason, message } = readiness;
  const rollbackReady: Breach = { status: ready ? "True" : "False", reason, message };
  // The newest version that the cache holds: sampling took its time.
  const current = ports.policies.get(keyOf(policy)) ?? policy;
  const status = policyStatus(current, standing, rollbackReady, breached, facts, ports.clock.now());
  await writeStatus(ports.client, ROLLBACK_POLICIES, current, status, { signal });
}

export function targetOf({ metadata, spec }: RollbackPolicy): TargetKey {
  return {
    group: "apps",
    kind: spec.target.kind,
    namespace: metadata.namespace ?? "",
    name: spec.target.name,
  };
}
