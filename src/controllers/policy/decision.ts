import type { TargetKey } from "../../actions/action.ts";
import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import {
  decide,
  isActing,
  unproven,
  type ActingDecision,
  type Decision,
  type DecisionInput,
} from "../../decision/decide.ts";
import { stateKey } from "../../decision/matrix.ts";
import { cutText } from "../../kube/conditions.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { isFinished, isWaitingForApproval } from "../request/phase.ts";
import { keyOf } from "../../kube/objects.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { BY_TARGET } from "../request/request-controller.ts";
import { createRequest, recordAutomatic, renameAutomatic } from "./act.ts";
import type { CompiledPolicy } from "./compile.ts";
import { currentEvidence, gatherEvidence } from "./evidence.ts";
import { frozenBy, hotfixEta } from "./annotations.ts";
import type { GoingBreaches } from "./going-breaches.ts";
import {
  previousReleases,
  rollbackTarget,
  unmadeRequests,
  viewLedger,
  type FindRequest,
} from "./ledger-view.ts";
import type { PolicyPorts } from "./ports.ts";
import { askReadiness, type ReadinessAnswer, type RollbackReadiness } from "./readiness.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { toRelease, type TargetView } from "./target.ts";
import { troubledSpans } from "./troubled.ts";

export interface DecisionContext {
  readonly runtime: PolicyRuntime;
  readonly recent: RecentRollbacks;
  readonly breaches: GoingBreaches;
  readonly compiled: CompiledPolicy;
  readonly policy: RollbackPolicy;
  readonly target: TargetKey;
  readonly deployment: Deployment;
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
  const { ledger, runtime, policy, breaches } = context;
  breaches.note(keyOf(policy), runtime.evaluations);
  tellBreaches(ports, context);
  await makeUnmade(ports, context, signal);
  // While a rollback is under way its windows still hold the breach that it mends: the same story, not a new one.
  if (isBusy(ports, context.target)) return;
  const decisions = await proven(ports, context, ledger, signal);
  runtime.prepared = decisions.some(({ kind }) => kind === "Prepare") ? runtime.prepared : undefined;
  // A row stays in `firing` through a gap in the data: what goes on after it is no news.
  if (decisions.length === 0 && runtime.firing.size === 0) runtime.told = new Map();
  for (const decision of decisions) {
    const done = await perform(ports, context, await withPlan(ports, context, decision, signal), signal);
    // One request at a time on a target: the next tick looks at the other plans.
    if (done === "Acted") return;
  }
}

async function perform(
  ports: PolicyPorts,
  context: DecisionContext,
  decision: Decision,
  signal: AbortSignal,
): Promise<"Acted" | "Told"> {
  switch (decision.kind) {
    case "Notify":
      tell(ports, context, decision, { verdict: "Notify", reason: decision.sentence });
      return "Told";
    case "Prepare":
      await prepare(ports, context, decision, signal);
      return "Told";
    case "Hold": {
      const reason = `${decision.sentence}; held, ${decision.reason}: ${decision.message}`;
      // Of what is under way there is nothing to tell.
      if (decision.reason !== "TargetBusy") tell(ports, context, decision, { verdict: "Held", reason });
      return "Told";
    }
    case "Propose":
    case "Rollback":
      return act(ports, context, decision, signal);
  }
}

/**
 * Decides, and where that would act on a breach whose cause was not looked into, looks into it and decides again, which may
 * choose another row or part: until nothing would act unproven. What was looked into stays so at this tick, so it ends.
 */
async function proven(
  ports: PolicyPorts,
  context: DecisionContext,
  ledger: RollbackLedgerSpec | undefined,
  signal: AbortSignal,
): Promise<readonly Decision[]> {
  const { runtime, compiled, view } = context;
  const now = ports.clock.now();
  for (;;) {
    const evidence = currentEvidence(runtime, compiled, view, now);
    const decisions = decideOn(ports, context, ledger, evidence);
    const open = unproven(decisions, evidence);
    if (open.length === 0) return decisions;
    await gatherEvidence(runtime, compiled, view, open, now, signal);
  }
}

function decideOn(
  ports: PolicyPorts,
  context: DecisionContext,
  ledger: RollbackLedgerSpec | undefined,
  evidence: DecisionInput["evidence"],
): readonly Decision[] {
  const { compiled, runtime, view, policy, deployment } = context;
  const { live } = view;
  const now = ports.clock.now();
  const release = live === undefined ? undefined : toRelease(live, ledger);
  const people = annotated(policy, deployment);
  return decide({
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
  });
}

/** What the plan itself refuses is held with its reason, instead of making a request that must fail. */
async function withPlan(
  ports: PolicyPorts,
  context: DecisionContext,
  decision: Decision,
  signal: AbortSignal,
): Promise<Decision> {
  if (!isActing(decision)) return decision;
  const answer = await planAnswer(ports, context, decision.plan, signal);
  if (answer?.ready === true) return decision;
  const { plan, row, part, value, onset, attribution, sentence } = decision;
  const finding = { plan, row, part, value, onset, attribution, sentence };
  return {
    kind: "Hold",
    reason: "NotReady",
    message: answer === undefined ? "no plan was made yet" : `${answer.reason}: ${answer.message}`,
    retryAt: undefined,
    ...finding,
  };
}

/** Would this plan work right now. That of the first plan is known: it is the condition RollbackReady. */
async function planAnswer(
  ports: PolicyPorts,
  { compiled, policy, ledger, readiness }: DecisionContext,
  plan: string,
  signal: AbortSignal,
): Promise<ReadinessAnswer | undefined> {
  return plan === compiled.plans[0]?.name ? readiness : askReadiness(ports, policy, ledger, plan, signal);
}

/** The plan is made anew at every tick while its row fires: it shows what would happen now. */
async function prepare(
  ports: PolicyPorts,
  context: DecisionContext,
  decision: Extract<Decision, { readonly kind: "Prepare" }>,
  signal: AbortSignal,
): Promise<void> {
  const { runtime } = context;
  const answer = await planAnswer(ports, context, decision.plan, signal);
  const since = runtime.prepared?.row === decision.row.name ? runtime.prepared.since : undefined;
  runtime.prepared = {
    row: decision.row.name,
    plan: decision.plan,
    ...(answer?.digest === undefined ? {} : { digest: answer.digest }),
    message: cutText(answer?.message ?? "no plan was made yet", 2048),
    since: since ?? new Date(ports.clock.now()).toISOString(),
  };
  tell(ports, context, decision, {
    verdict: "Prepare",
    reason: `${decision.sentence}; prepared: ${runtime.prepared.message}`,
  });
}

/** A request that waits for an answer keeps nobody from anything. */
function isBusy({ requests }: PolicyPorts, { namespace, kind, name }: TargetKey): boolean {
  return requests
    .byIndex(BY_TARGET, `${namespace}/${kind}/${name}`)
    .some((request) => !isFinished(request) && !request.spec.dryRun && !isWaitingForApproval(request));
}

async function act(
  ports: PolicyPorts,
  context: DecisionContext,
  decision: ActingDecision,
  signal: AbortSignal,
): Promise<"Acted" | "Told"> {
  const { policy, target, compiled, runtime, view } = context;
  const evidence = currentEvidence(runtime, compiled, view, ports.clock.now());
  const entry = await recordAutomatic(
    ports,
    { target, policy, plans: compiled.plans, recent: context.recent },
    (ledger) =>
      decideOn(ports, context, ledger, evidence).find(
        (each) =>
          each.kind === decision.kind &&
          each.plan === decision.plan &&
          evidence.has(stateKey(each.row.name, each.part)),
      ),
    signal,
  );
  if (entry === undefined) return "Told";
  const request = await create(ports, context, entry, signal);
  const instead =
    decision.kind === "Propose" && decision.instead !== undefined
      ? `; proposed instead of done: ${decision.instead}`
      : `; ${decision.attribution.verdict.toLowerCase()} by the last release: ${decision.attribution.reason}`;
  tell(ports, context, decision, {
    verdict: decision.kind,
    reason: `${decision.sentence}${instead}`,
    request,
  });
  return decision.kind === "Rollback" ? "Acted" : "Told";
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

interface Told {
  readonly verdict: LastDecision["verdict"];
  readonly reason: string;
  readonly request?: string;
}

const EVENT_REASONS: Readonly<Record<LastDecision["verdict"], string>> = {
  Rollback: "RollbackDecided",
  Propose: "RollbackProposed",
  Prepare: "PlanReady",
  Notify: "BreachDetected",
  Held: "RollbackHeld",
};

/** Tells a decision once: the same row, verdict and reason again is no news. */
function tell(
  ports: PolicyPorts,
  { runtime, policy }: DecisionContext,
  decision: Decision,
  { verdict, reason, request }: Told,
): void {
  const holdReason = decision.kind === "Hold" ? decision.reason : "";
  const news = [decision.row.name, decision.part, verdict, holdReason, request].join("/");
  if (runtime.told.get(decision.plan) === news) return;
  runtime.told = new Map([...runtime.told, [decision.plan, news]]);
  const now = ports.clock.now();
  ports.record({
    type: "Warning",
    reason: EVENT_REASONS[verdict],
    action: "Decide",
    note: cutText(reason, 1000),
    regarding: policy,
  });
  const evaluation = runtime.evaluations.find(
    ({ row, part }) => row.name === decision.row.name && part === decision.part,
  );
  const firedAt = (evaluation?.window.run?.since ?? now) + decision.row.forMs;
  const isActed = verdict === "Rollback" || verdict === "Propose";
  ports.observer.decided({
    policy: `${policy.metadata.namespace}/${policy.metadata.name}`,
    row: decision.row.name,
    action: decision.row.action,
    verdict,
    reason,
    request,
    detectionSeconds: isActed ? Math.max(0, now - firedAt) / 1_000 : undefined,
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

/** The objects that people annotate to hold or to announce something. */
export function annotated(
  policy: RollbackPolicy,
  deployment: Deployment,
): readonly [RollbackPolicy & { readonly kind: string }, Deployment & { readonly kind: string }] {
  return [
    { ...policy, kind: "RollbackPolicy" },
    { ...deployment, kind: "Deployment" },
  ];
}
