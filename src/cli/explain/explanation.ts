import { annotated, annotationProblems, hotfixEta } from "../../controllers/policy/annotations.ts";
import { isWaitingForApproval } from "../../controllers/request/phase.ts";
import { isKnownGood } from "../../controllers/policy/target.ts";
import { parseRules, type PolicyRules } from "../../controllers/policy/rules.ts";
import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import type { OpenFreeze } from "../../decision/guards/guard.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { answerText, hasEnded, readyOf, shortTitle, workloadOf } from "../request/wording.ts";
import { askGuards, type GuardFinding } from "./guards.ts";
import { guardInput } from "./guard-input.ts";
import { queriesOf, type Queries } from "./queries.ts";
import { firingRow, rowFindings, signalFindings, type RowFinding, type SignalFinding } from "./rows.ts";
import { known, type Seen } from "./seen.ts";
import type { Snapshot } from "./snapshot.ts";
import { liveRelease, suspects } from "./target.ts";
import { verdictOf, type Verdict } from "./verdict.ts";

/** Why a policy would or would not act right now; what `-o json` prints. Times are RFC 3339. */
export interface Explanation {
  readonly policy: string;
  readonly namespace: string;
  /** `deploy/web`. */
  readonly target: string;
  readonly at: string;
  readonly verdict: Verdict;
  readonly signals: readonly SignalFinding[];
  readonly rows: readonly RowFinding[];
  readonly release: ReleaseFinding;
  /** Condition RollbackReady: what a rollback would go back to, or why it would not work. */
  readonly rollbackReady: { readonly status: "True" | "False" | "Unknown"; readonly message: string };
  readonly prepared?: RollbackPolicyStatus["prepared"];
  readonly lastDecision?: RollbackPolicyStatus["lastDecision"];
  /** About this workload, not ended; undefined where they cannot be seen. */
  readonly requests: readonly OpenRequest[] | undefined;
  readonly guards: readonly GuardFinding[];
  readonly freeze: FreezeFinding;
  readonly hotfix: HotfixFinding;
  readonly operator: string;
  readonly queries: Queries["queries"];
  /** What else a person should know. One sentence each. */
  readonly notes: readonly string[];
}

/** The live release, as far as it is seen. */
export type ReleaseFinding =
  | {
      readonly kind: "Live";
      readonly revision: number;
      readonly startedAt?: string;
      readonly knownGood: boolean | undefined;
      readonly productOf?: string;
      /** Revisions since the last known good one and before this one. */
      readonly suspects: readonly number[];
    }
  | { readonly kind: "None"; readonly message: string };

/** When a hotfix is announced for, by an annotation of the policy or of its target. */
export type HotfixFinding =
  | { readonly kind: "None" }
  | { readonly kind: "Announced"; readonly eta: string }
  | { readonly kind: "NotVisible"; readonly message: string };

/** Of the freeze windows of the policy. */
export interface FreezeFinding {
  readonly windows: number;
  readonly open: readonly (Omit<OpenFreeze, "until"> & { readonly until: string })[];
}

/** A request that has not ended. */
export interface OpenRequest {
  readonly name: string;
  readonly phase: string;
  readonly message: string;
  /** What a person may do, as commands. */
  readonly commands: readonly string[];
}

/** Everything that explains what the policy would do now. Pure. */
export function explainPolicy(snapshot: Snapshot): Explanation {
  const { policy, namespace, now, operator } = snapshot;
  const { spec, status } = policy;
  const parsed = parseRules(policy);
  const rules = parsed.kind === "Parsed" ? parsed.rules : undefined;
  const signals = signalFindings(snapshot);
  const firing = rules === undefined ? undefined : firingRow(snapshot, rules);
  const guards = rules === undefined ? [] : askGuards(guardInput(snapshot, rules, firing, "Rollback"));
  const requests = requestsOf(snapshot);
  const running = requests.kind === "Seen" ? requests.value.find(isRunning) : undefined;
  const { queries, notes } = queriesOf(snapshot);
  return {
    policy: policy.metadata.name,
    namespace,
    target: shortTitle(spec.target),
    at: new Date(now).toISOString(),
    verdict: verdictOf({ snapshot, rules: parsed, signals, firing, guards, running }),
    signals,
    rows: rules === undefined ? [] : rowFindings(snapshot, rules, signals),
    release: releaseOf(snapshot),
    rollbackReady: rollbackReadyOf(status),
    ...(status?.prepared === undefined ? {} : { prepared: status.prepared }),
    ...(status?.lastDecision === undefined ? {} : { lastDecision: status.lastDecision }),
    requests:
      requests.kind === "Seen" ? requests.value.map((each) => openRequest(each, snapshot)) : undefined,
    guards,
    freeze: freezeOf(snapshot, rules),
    hotfix: hotfixOf(snapshot),
    operator: operator.kind === "Seen" ? operator.value.message : `not visible to you: ${operator.why}`,
    queries,
    notes: [...annotationProblems(annotated(policy, deploymentOf(snapshot))), ...notes],
  };
}

function hotfixOf({ policy, deployment }: Snapshot): HotfixFinding {
  if (deployment.kind === "Hidden") return { kind: "NotVisible", message: deployment.why };
  const eta = hotfixEta(annotated(policy, deployment.value));
  return eta === undefined ? { kind: "None" } : { kind: "Announced", eta: new Date(eta).toISOString() };
}

function deploymentOf({ deployment }: Snapshot) {
  return deployment.kind === "Seen" ? deployment.value : undefined;
}

function releaseOf(snapshot: Snapshot): ReleaseFinding {
  const { policy, ledger } = snapshot;
  const { target } = policy.spec;
  if (snapshot.deployment.kind === "Seen" && snapshot.deployment.value === undefined) {
    return { kind: "None", message: `${target.kind}/${target.name} does not exist` };
  }
  const live = known(() => liveRelease(snapshot));
  if (live.kind !== "Seen") {
    return {
      kind: "None",
      message: live.kind === "Hidden" ? `not visible to you: ${live.why}` : "not known",
    };
  }
  if (live.value === undefined) {
    return { kind: "None", message: "its controller has not caught up with its newest spec yet" };
  }
  const { revision, replicaSetUid: uid } = live.value;
  const release = live.value;
  const startedAt = valueOf(known(() => release.startedAt));
  const product = valueOf(known(() => release.productOfRollback));
  const told = policy.status?.release;
  const isTold = told?.replicaSetUid === uid && told.revision === revision;
  return {
    kind: "Live",
    revision,
    ...(startedAt === undefined ? {} : { startedAt: new Date(startedAt).toISOString() }),
    knownGood:
      ledger.kind === "Seen"
        ? isKnownGood(ledger.value, { uid, revision })
        : isTold
          ? told.knownGoodSince !== undefined
          : undefined,
    ...(product === undefined ? {} : { productOf: product.request }),
    suspects: (valueOf(known(() => suspects(snapshot))) ?? []).map((each) => each.revision),
  };
}

function valueOf<T>(fact: ReturnType<typeof known<T>>): T | undefined {
  return fact.kind === "Seen" ? fact.value : undefined;
}

function rollbackReadyOf(status: RollbackPolicyStatus | undefined): Explanation["rollbackReady"] {
  const condition = status?.conditions?.find(({ type }) => type === "RollbackReady");
  if (condition === undefined) return { status: "Unknown", message: "the operator has not told yet" };
  const { reason, message } = condition;
  return {
    status: condition.status,
    message: condition.status === "True" ? message : `${reason}: ${message}`,
  };
}

function freezeOf({ policy, now }: Snapshot, rules: PolicyRules | undefined): FreezeFinding {
  const open = rules?.freeze.openAt(now) ?? [];
  return {
    windows: policy.spec.guards.freeze.length,
    open: open.map((window) => ({ ...window, until: new Date(window.until).toISOString() })),
  };
}

/** Requests about this policy or its workload that have not ended, the oldest first. */
function requestsOf({ requests, policy }: Snapshot): Seen<readonly RollbackRequest[]> {
  if (requests.kind === "Hidden") return requests;
  const { target } = policy.spec;
  const open = requests.value.filter((request) => {
    const workload = workloadOf(request);
    const isAbout = workload?.kind === target.kind && workload.name === target.name;
    const isOurs = request.spec.policyRef?.name === policy.metadata.name;
    return (isAbout || isOurs) && !hasEnded(request) && !request.spec.dryRun;
  });
  const value = open.toSorted(
    (a, b) => Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
  );
  return { kind: "Seen", value };
}

function isRunning(request: RollbackRequest): boolean {
  return !isWaitingForApproval(request);
}

function openRequest(request: RollbackRequest, { now, namespaceFlag }: Snapshot): OpenRequest {
  const { name } = request.metadata;
  const phase = request.status?.phase ?? "not seen by an operator yet";
  return isRunning(request)
    ? {
        name,
        phase,
        message: readyOf(request).message,
        commands: [
          `kubectl-rollback status ${name} --watch${namespaceFlag}`,
          `kubectl-rollback abort ${name}${namespaceFlag}`,
        ],
      }
    : {
        name,
        phase,
        message: answerText(request, now),
        commands: [
          `kubectl-rollback approve ${name}${namespaceFlag}`,
          `kubectl-rollback deny ${name} --reason TEXT${namespaceFlag}`,
        ],
      };
}
