import type { TargetKey } from "../../actions/action.ts";
import { isActing, type ActingDecision, type Decision } from "../../decision/decide.ts";
import { TOLERATED_GAP } from "../../decision/window.ts";
import { stateKey } from "../../decision/matrix.ts";
import { cutText } from "../../kube/conditions.ts";
import { isFinished, isWaitingForApproval } from "../request/phase.ts";
import type { HoldReason } from "../../decision/guards/guard.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { keyOf } from "../../kube/objects.ts";
import { BY_TARGET } from "../request/request-controller.ts";
import { recordAutomatic } from "./act.ts";
import { currentEvidence } from "./evidence.ts";
import type { PolicyPorts } from "./ports.ts";
import { askReadiness, type ReadinessAnswer } from "./readiness.ts";
import type { DecisionContext } from "./decision-context.ts";
import { decideOn, proven } from "./decide-now.ts";
import { makeRequest, makeUnmade } from "./make-request.ts";
import { tell, tellBreaches } from "./tell.ts";

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
  const { decisions, runs } = await proven(ports, context, ledger, signal);
  const { intervalMs } = context.compiled.view;
  ports.unaskedRuns.note(policy, runs, ports.clock.now() + (TOLERATED_GAP + 1) * intervalMs);
  runtime.prepared = decisions.some(({ kind }) => kind === "Prepare") ? runtime.prepared : undefined;
  // A row stays in `firing` through a gap in the data: what goes on after it is no news.
  if (decisions.length === 0 && runtime.firing.size === 0) {
    runtime.told = new Map();
    runtime.evidence = new Map();
  }
  let acts = false;
  for (const decision of decisions) {
    // One rollback at a time on a target: a later tick looks at the others. A question may be asked beside it.
    if (acts && decision.kind === "Rollback") continue;
    const patient = withPatience(runtime, decision);
    const done = await perform(ports, context, await withPlan(ports, context, patient, signal), signal);
    acts ||= done === "Acted";
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

/** Evidence that could not be read is asked for so often again, at the next evaluations, before a person is asked. */
const PATIENCE = 2;

function withPatience({ evidence }: PolicyRuntime, decision: Decision): Decision {
  if (decision.kind !== "Propose" || decision.instead === undefined) return decision;
  const failures = evidence.get(stateKey(decision.row.name, decision.part))?.failures ?? 0;
  return failures === 0 || failures > PATIENCE
    ? decision
    : held(decision, "Unattributed", `${decision.instead}; it is asked for again at the next evaluation`);
}

function held(decision: ActingDecision, reason: HoldReason, message: string): Decision {
  const { plan, row, part, value, onset, attribution, sentence } = decision;
  const finding = { plan, row, part, value, onset, attribution, sentence };
  return { kind: "Hold", reason, message, retryAt: undefined, ...finding };
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
  return held(
    decision,
    "NotReady",
    answer === undefined ? "no plan was made yet" : `${answer.reason}: ${answer.message}`,
  );
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
  const request = await makeRequest(ports, context, entry, signal);
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
