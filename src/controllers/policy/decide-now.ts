import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import {
  decide,
  runsUnasked,
  unproven,
  unprovenRuns,
  type Decision,
  type DecisionInput,
} from "../../decision/decide.ts";
import { keyOf } from "../../kube/objects.ts";
import { currentEvidence, gatherEvidence } from "./evidence.ts";
import { annotated, frozenBy, hotfixEta } from "./annotations.ts";
import { configurationChanges } from "./configuration.ts";
import { previousReleases, rollbackTarget, viewLedger, type FindRequest } from "./ledger-view.ts";
import type { PolicyPorts } from "./ports.ts";
import { toRelease } from "./target.ts";
import { troubledSpans } from "./troubled.ts";
import type { DecisionContext } from "./decision-context.ts";

export interface Proven {
  readonly decisions: readonly Decision[];
  /** The plans by which a waiting proposal may run unasked now. */
  readonly runs: ReadonlySet<string>;
}

/**
 * Decides, and where that would act on a breach whose cause was not looked into, looks into it and decides again, which may
 * choose another row or part: until nothing would act unproven. What was looked into stays so at this tick, so it ends.
 */
export async function proven(
  ports: PolicyPorts,
  context: DecisionContext,
  ledger: RollbackLedgerSpec | undefined,
  signal: AbortSignal,
): Promise<Proven> {
  const { runtime, compiled, view } = context;
  const now = ports.clock.now();
  for (;;) {
    const evidence = currentEvidence(runtime, compiled, view, now);
    const input = inputOf(ports, context, ledger, evidence);
    const decisions = decide(input);
    const open = [...unproven(decisions, evidence), ...unprovenRuns(input)];
    if (open.length === 0) return { decisions, runs: runsUnasked(input) };
    await gatherEvidence(runtime, compiled, view, open, now, signal);
  }
}

export function decideOn(
  ports: PolicyPorts,
  context: DecisionContext,
  ledger: RollbackLedgerSpec | undefined,
  evidence: DecisionInput["evidence"],
): readonly Decision[] {
  return decide(inputOf(ports, context, ledger, evidence));
}

function inputOf(
  ports: PolicyPorts,
  context: DecisionContext,
  ledger: RollbackLedgerSpec | undefined,
  evidence: DecisionInput["evidence"],
): DecisionInput {
  const { compiled, runtime, view, policy, deployment } = context;
  const { live } = view;
  const now = ports.clock.now();
  const release = live === undefined ? undefined : toRelease(live, ledger);
  const people = annotated(policy, deployment);
  return {
    now,
    target: { uid: view.uid, name: view.name },
    plans: compiled.plans,
    evaluations: runtime.evaluations,
    evidence,
    killSwitch: ports.killSwitch().kind,
    policy: compiled.view,
    release,
    previous: release === undefined ? [] : previousReleases(release, ledger),
    troubled: troubledSpans(ledger),
    configuration: {
      // Only where something fires: not at every quiet tick.
      get changes() {
        return configurationChanges(ports, policy, deployment);
      },
    },
    rollbackTarget: release === undefined ? undefined : rollbackTarget(release, ledger, view.revisions),
    ledger: viewLedger(ledger, release, finder(ports, context.target), now, compiled.plans[0]?.name),
    cluster: {
      // Over all ledgers, so only where a guard asks: not at every quiet tick.
      get automaticRollbacks() {
        return context.recent.times();
      },
      maxPerTenMinutes: ports.automaticRollbacksPer10Minutes,
      get otherOnsets() {
        return context.breaches.besides(keyOf(policy));
      },
      sharedBreachTargets: ports.sharedBreachTargets,
    },
    frozenBy: frozenBy(people),
    hotfixEta: hotfixEta(people),
    openFreezes: compiled.freeze.openAt(now),
    watchingSince: runtime.watchingSince,
  };
}

export function finder(ports: PolicyPorts, target: TargetKey): FindRequest {
  return (name) => ports.requests.get(`${target.namespace}/${name}`);
}
