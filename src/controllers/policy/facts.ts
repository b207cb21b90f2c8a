import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Breach } from "./breach-condition.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { RollbackReadiness } from "./readiness.ts";
import { matrixFacts } from "./rules.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { signalFacts, type PolicyFacts } from "./status.ts";
import { findRelease, type TargetView } from "./target.ts";

/** What the status shows besides the conditions. Pure. */
export function factsOf(
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
  const started = live === undefined ? undefined : findRelease(ledger, live);
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

/** The newest decision; that of an earlier process where this one has made none. */
export function decisionFact(
  policy: RollbackPolicy,
  runtime: PolicyRuntime,
): Pick<PolicyFacts, "lastDecision"> {
  const lastDecision = runtime.lastDecision ?? policy.status?.lastDecision;
  return lastDecision === undefined ? {} : { lastDecision };
}

/** Before this process has asked, what was found out before stays: it is as good as it was a moment ago. */
export function rollbackReadyOf(
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
    message: "not asked yet: other policies wait for a plan too",
  };
}
