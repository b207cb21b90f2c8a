import type { TargetKey } from "../../actions/action.ts";
import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackPolicyStatus } from "../../crds/rollback-policy.ts";
import { decide, type Decision } from "../../decision/decide.ts";
import { cutText } from "../../kube/conditions.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { isFinished } from "../request/phase.ts";
import { BY_TARGET } from "../request/request-controller.ts";
import { createRequest, recordAutomatic, renameAutomatic } from "./act.ts";
import type { CompiledPolicy } from "./compile.ts";
import { rollbackTarget, unmadeRequests, viewLedger, type FindRequest } from "./ledger-view.ts";
import type { PolicyPorts } from "./ports.ts";
import type { RollbackReadiness } from "./readiness.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { toRelease, type TargetView } from "./target.ts";

export interface DecisionContext {
  readonly runtime: PolicyRuntime;
  readonly recent: RecentRollbacks;
  readonly compiled: CompiledPolicy;
  readonly policy: RollbackPolicy;
  readonly target: TargetKey;
  readonly view: TargetView;
  readonly ledger: RollbackLedgerSpec | undefined;
  /** Of now where a row that rolls back fires; otherwise the last one known. */
  readonly readiness: RollbackReadiness | undefined;
}

type LastDecision = NonNullable<RollbackPolicyStatus["lastDecision"]>;

/** Decides on the newest tick, does it, and tells it once. */
export async function decideAndAct(
  ports: PolicyPorts,
  context: DecisionContext,
  signal: AbortSignal,
): Promise<void> {
  const { ledger, runtime } = context;
  tellBreaches(ports, context);
  await makeUnmade(ports, context, signal);
  // While a rollback is under way its windows still hold the breach that it mends: the same story, not a new one.
  if (isBusy(ports, context.target)) return;
  const decision = withReadiness(decideOn(ports, context, ledger), context.readiness);
  switch (decision.kind) {
    case "Quiet":
      // A row stays in `firing` through a gap in the data: what goes on after it is no news.
      if (runtime.firing.size === 0) runtime.told = undefined;
      return;
    case "Notify":
      return tell(ports, context, decision, "Notify", decision.sentence, undefined);
    case "Hold":
      // The cache of requests does not show ours yet.
      if (decision.reason === "TargetBusy") return;
      return tell(
        ports,
        context,
        decision,
        "Held",
        `${decision.sentence}; held, ${decision.reason}: ${decision.message}`,
        undefined,
      );
    case "Rollback":
      return rollBack(ports, context, decision, signal);
  }
}

function decideOn(
  ports: PolicyPorts,
  context: DecisionContext,
  ledger: RollbackLedgerSpec | undefined,
): Decision {
  const { compiled, runtime, view } = context;
  const { live } = view;
  const now = ports.clock.now();
  const release = live === undefined ? undefined : toRelease(live, ledger);
  return decide({
    now,
    target: { uid: view.uid, name: view.name },
    evaluations: runtime.evaluations,
    killSwitch: ports.killSwitch().kind,
    policy: compiled.view,
    release,
    rollbackTarget: release === undefined ? undefined : rollbackTarget(release, ledger, view.revisions),
    ledger: viewLedger(ledger, release, finder(ports, context.target), now),
    cluster: {
      // Over all ledgers, so only where a guard asks: not at every quiet tick.
      get automaticRollbacks() {
        return context.recent.times();
      },
      maxPerTenMinutes: ports.automaticRollbacksPer10Minutes,
    },
    watchingSince: runtime.watchingSince,
  });
}

/** A rollback that the plan refuses is held with the plan's reason instead of making a request that must fail. */
function withReadiness(decision: Decision, readiness: RollbackReadiness | undefined): Decision {
  if (decision.kind !== "Rollback" || readiness?.ready === true) return decision;
  const { kind: _, release: _release, to: _to, attempt: _attempt, requestName: _name, ...finding } = decision;
  return {
    kind: "Hold",
    reason: "NotReady",
    message: readiness === undefined ? "no plan was made yet" : `${readiness.reason}: ${readiness.message}`,
    retryAt: undefined,
    ...finding,
  };
}

function isBusy({ requests }: PolicyPorts, { namespace, kind, name }: TargetKey): boolean {
  return requests
    .byIndex(BY_TARGET, `${namespace}/${kind}/${name}`)
    .some((request) => !isFinished(request) && !request.spec.dryRun);
}

async function rollBack(
  ports: PolicyPorts,
  context: DecisionContext,
  decision: Extract<Decision, { readonly kind: "Rollback" }>,
  signal: AbortSignal,
): Promise<void> {
  const { policy, target } = context;
  const entry = await recordAutomatic(
    ports,
    target,
    policy,
    context.recent,
    (ledger) => decideOn(ports, context, ledger),
    signal,
  );
  if (entry === undefined) return;
  const request = await create(ports, context, entry, signal);
  tell(ports, context, decision, "Rollback", decision.sentence, request);
}

/** A crash between ledger and request leaves an entry without an object. */
async function makeUnmade(ports: PolicyPorts, context: DecisionContext, signal: AbortSignal): Promise<void> {
  const { ledger, runtime, target } = context;
  const unmade = unmadeRequests(ledger, finder(ports, target), ports.clock.now());
  for (const entry of unmade) {
    if (!runtime.made.has(entry.request)) await create(ports, context, entry, signal);
  }
}

/** Makes the request of an entry, under another name where somebody took the recorded one. Returns its name. */
async function create(
  ports: PolicyPorts,
  { policy, runtime, recent, target, view }: DecisionContext,
  entry: LedgerAutomatic,
  signal: AbortSignal,
): Promise<string> {
  let made: LedgerAutomatic | undefined = entry;
  if ((await createRequest(ports, policy, entry, signal)) === "Foreign") {
    made = await renameAutomatic(ports, target, view.uid, entry, recent, signal);
    // Another process renamed it: the next tick finds the name in the ledger.
    if (made === undefined) return entry.request;
    ports.record({
      type: "Warning",
      reason: "RequestNameTaken",
      action: "Decide",
      note: `RollbackRequest ${entry.request} is not ours, although it has the name of the automatic rollback, which is made as ${made.request}: see who may create RollbackRequests in ${target.namespace}`,
      regarding: policy,
    });
    await createRequest(ports, policy, made, signal);
  }
  runtime.made = new Set([...runtime.made, made.request]);
  return made.request;
}

function finder(ports: PolicyPorts, target: TargetKey): FindRequest {
  return (name) => ports.requests.get(`${target.namespace}/${name}`);
}

/** Events when a row begins and ends to fire. */
function tellBreaches(ports: PolicyPorts, { runtime, policy }: DecisionContext): void {
  const firing = new Set(runtime.evaluations.filter(({ fires }) => fires).map(({ row }) => row.name));
  for (const name of firing) {
    if (runtime.firing.has(name)) continue;
    const signal = runtime.evaluations.find(({ row }) => row.name === name)?.row.signal ?? "";
    ports.record({
      type: "Warning",
      reason: "BreachDetected",
      action: "Evaluate",
      note: `row ${name} fires on ${signal}`,
      regarding: policy,
    });
  }
  const resolved = [...runtime.firing].filter((name) =>
    runtime.evaluations.some(({ row, verdict }) => row.name === name && verdict === "Ok"),
  );
  for (const name of resolved) {
    ports.record({
      type: "Normal",
      reason: "BreachResolved",
      action: "Evaluate",
      note: `row ${name} does not fire any more`,
      regarding: policy,
    });
  }
  runtime.firing = new Set([...runtime.firing, ...firing].filter((name) => !resolved.includes(name)));
}

/** Tells a decision once: the same row, verdict and reason again is no news. */
function tell(
  ports: PolicyPorts,
  { runtime, policy }: DecisionContext,
  decision: Exclude<Decision, { readonly kind: "Quiet" }>,
  verdict: LastDecision["verdict"],
  reason: string,
  request: string | undefined,
): void {
  const holdReason = decision.kind === "Hold" ? decision.reason : "";
  const news = [decision.row.name, verdict, holdReason, request].join("/");
  if (runtime.told === news) return;
  runtime.told = news;
  const now = ports.clock.now();
  ports.record({
    type: "Warning",
    reason: { Rollback: "RollbackDecided", Notify: "BreachDetected", Held: "RollbackHeld" }[verdict],
    action: "Decide",
    note: cutText(reason, 1000),
    regarding: policy,
  });
  const evaluation = runtime.evaluations.find(({ row }) => row.name === decision.row.name);
  const firedAt = (evaluation?.window.run?.since ?? now) + decision.row.forMs;
  ports.observer.decided({
    policy: `${policy.metadata.namespace}/${policy.metadata.name}`,
    row: decision.row.name,
    action: decision.row.action,
    verdict,
    reason,
    request,
    detectionSeconds: verdict === "Rollback" ? Math.max(0, now - firedAt) / 1_000 : undefined,
  });
  runtime.lastDecision = {
    row: decision.row.name,
    verdict,
    reason: cutText(reason, 1024),
    attribution: decision.attribution.verdict,
    at: new Date(now).toISOString(),
    ...(request === undefined ? {} : { requestRef: request }),
  };
}
