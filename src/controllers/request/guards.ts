import { actedAt } from "../ledger/automatic.ts";
import type { TargetKey } from "../../actions/action.ts";
import { parseFreezeWindows } from "../../calendar/freeze-windows.ts";
import { parseDuration } from "../../crds/duration.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { revisionOf, type PlannedStep } from "../../crds/rollback-request.ts";
import type { Release } from "../../decision/release.ts";
import { warningsForPeople } from "../../decision/guards/people.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { frozenBy } from "../policy/annotations.ts";
import { findRelease } from "../policy/target.ts";
import { decidedOn, ledgerOf, ledgerTargets } from "./ledgers.ts";
import { oldestFirst } from "./oldest-first.ts";
import type { RequestPorts } from "./ports.ts";
import type { Resolution } from "./resolve.ts";
import type { RequestPlan, Situation } from "./situation.ts";

type GuardPorts = Pick<RequestPorts, "clock" | "policiesOn" | "workload" | "cluster">;

/** The object whose annotation forbids every act on what the request writes, as `Kind/name`. */
export function frozenOf(
  ports: GuardPorts,
  resolution: Resolution,
  policy: RollbackPolicy | undefined,
): string | undefined {
  const targets = ledgerTargets(resolution);
  const policies = [...(policy === undefined ? [] : [policy]), ...watchers(ports, targets)];
  const workloads = targets.flatMap((target) => {
    const workload = ports.workload(target);
    return workload === undefined ? [] : [{ kind: target.kind, metadata: workload.metadata }];
  });
  return frozenBy([...policies.map(({ metadata }) => ({ kind: "RollbackPolicy", metadata })), ...workloads]);
}

/** What would hold an automatic rollback back, where a person decides; nothing where no policy watches. */
export function peopleWarnings(
  ports: GuardPorts,
  { request, resolution, ledgers, automatic, policy: named }: Situation,
  plan: RequestPlan,
): readonly string[] {
  if (automatic !== undefined && request.spec.approval === "Auto") return [];
  const target = decidedOn(resolution);
  const policy = named ?? (target === undefined ? undefined : watchers(ports, [target])[0]);
  if (policy === undefined) return [];
  const { settle, cooldown, maxPerDay, freeze } = policy.spec.guards;
  const now = ports.clock.now();
  const calendar = parseFreezeWindows(freeze);
  const ledger = ledgerOf(ledgers, target);
  const warnings = warningsForPeople({
    now,
    policy: { settleMs: parseDuration(settle), cooldownMs: parseDuration(cooldown), maxPerDay },
    severity: request.spec.severity,
    release: releaseOf(ledger, plan.steps[0]?.from),
    ledger: { automaticRollbacks: actedOn(ledger) },
    cluster: ports.cluster(),
    // One that cannot be read is the policy's own problem, and told there.
    openFreezes: calendar.kind === "Parsed" ? calendar.calendar.openAt(now) : [],
  });
  const held = automatic === undefined ? heldNow(policy) : undefined;
  return held === undefined ? warnings : [held, ...warnings];
}

/** A decision is told in the same pass as the breach that it is about, and whole seconds of both are kept. */
const SAME_BREACH_MS = 60_000;

/** Why the policy does not act on the breach that goes on: another cause than the release, say. Pure. */
export function heldNow({
  metadata,
  status,
}: Pick<RollbackPolicy, "metadata" | "status">): string | undefined {
  const breached = status?.conditions?.find(({ type }) => type === "Breached");
  const decision = status?.lastDecision;
  if (breached?.status !== "True" || decision?.verdict !== "Held") return undefined;
  // Of an earlier breach it says nothing.
  if (Date.parse(decision.at) < Date.parse(breached.lastTransitionTime) - SAME_BREACH_MS) return undefined;
  return `RollbackPolicy ${metadata.name} holds an automatic rollback: ${decision.reason}`;
}

/** Policies that watch one of these, the oldest first: it owns the target. */
function watchers({ policiesOn }: GuardPorts, targets: readonly TargetKey[]): readonly RollbackPolicy[] {
  return oldestFirst(targets.flatMap((target) => policiesOn(target)));
}

/** Instants of automatic rollbacks that acted on it, ms since the epoch. */
function actedOn(ledger: RollbackLedgerSpec | undefined): readonly number[] {
  if (ledger === undefined) return [];
  return ledger.automatic.filter(({ uid }) => uid !== undefined).map((entry) => actedAt(entry, ledger));
}

function releaseOf(ledger: RollbackLedgerSpec | undefined, from: PlannedStep["from"]): Release | undefined {
  const revision = revisionOf(from);
  if (revision === undefined) return undefined;
  const known = findRelease(ledger, revision);
  return known?.startedAt === undefined ? undefined : { ...known, startedAt: Date.parse(known.startedAt) };
}
