import { toldBreach } from "../../controllers/policy/breach-condition.ts";
import type { ParsedRules, PolicyRules } from "../../controllers/policy/rules.ts";
import { asksInstead } from "../../decision/decide.ts";
import { formatSeconds } from "../../decision/sentence.ts";
import type { RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import { askGuards, type GuardFinding } from "./guards.ts";
import { guardInput, type FiringRow } from "./guard-input.ts";
import type { SignalFinding } from "./rows.ts";
import { known } from "./seen.ts";
import type { Snapshot } from "./snapshot.ts";

/** What it would do at this instant. */
export interface Verdict {
  readonly kind:
    | "WouldRollBack"
    | "WouldAsk"
    | "WouldPrepare"
    | "WouldTell"
    | "Held"
    | "UnderWay"
    | "NoRowFires"
    | "NotEvaluating"
    | "Unknown";
  /** One sentence that begins with what it would do. */
  readonly message: string;
}

type Refusal = Extract<GuardFinding, { readonly state: "Refuses" }>;

export interface VerdictInput {
  readonly snapshot: Snapshot;
  readonly rules: ParsedRules;
  readonly signals: readonly SignalFinding[];
  readonly firing: FiringRow | undefined;
  readonly guards: readonly GuardFinding[];
  readonly running: RollbackRequest | undefined;
}

export function verdictOf(input: VerdictInput): Verdict {
  const stopped = whyNothingIsEvaluated(input);
  if (stopped !== undefined || input.rules.kind === "Refused") {
    return stopped ?? { kind: "NotEvaluating", message: "would not act now" };
  }
  const { firing, running } = input;
  if (running !== undefined) {
    const { name } = running.metadata;
    return { kind: "UnderWay", message: `would not act now: request ${name} is under way` };
  }
  return firing === undefined ? quietVerdict(input) : firingVerdict(input, input.rules.rules, firing);
}

function whyNothingIsEvaluated({ snapshot, rules }: VerdictInput): Verdict | undefined {
  const { operator, config, policy, namespace } = snapshot;
  const not = (why: string): Verdict => ({ kind: "NotEvaluating", message: `would not act now: ${why}` });
  if (operator.kind === "Seen" && !operator.value.leads) return not(operator.value.message);
  if (config.kind === "Seen") {
    const { watchNamespaces } = config.value;
    if (watchNamespaces.length > 0 && !watchNamespaces.includes(namespace)) {
      return not(
        `the operator does not look at namespace ${namespace} (watchNamespaces of its configuration)`,
      );
    }
  }
  const ready = policy.status?.conditions?.find(({ type }) => type === "Ready");
  const generation = policy.metadata.generation ?? 1;
  if (ready === undefined || (ready.observedGeneration ?? generation) < generation) {
    const what = ready === undefined ? "it" : "its newest version";
    const message = `not known: no operator has looked at ${what} yet; if this stays: kubectl-rollback doctor${snapshot.namespaceFlag}`;
    return { kind: "Unknown", message };
  }
  if (policy.spec.suspend) return not("suspended, nothing is evaluated (spec.suspend)");
  if (ready.status !== "True") return not(`${ready.reason}: ${ready.message}`);
  if (rules.kind === "Refused") return not(`it cannot be evaluated: ${rules.problems.join("; ")}`);
  return undefined;
}

/** No row fires. What would hold one back is told all the same: it is asked next. */
function quietVerdict({ snapshot, signals, guards, rules }: VerdictInput): Verdict {
  const { policy, now } = snapshot;
  const told = toldBreach(policy.status, now);
  const blind = blindText(signals, now);
  const obstructed = obstacle(policy, guards, now);
  const hypothetical = obstructed === undefined ? "" : `; if a row fired: ${obstructed}`;
  switch (told.kind) {
    case "Pending": {
      const row =
        rules.kind === "Parsed" ? rules.rules.rows.find(({ name }) => name === told.row) : undefined;
      const leftMs = told.since + (row?.forMs ?? 0) - now;
      const when =
        leftMs > 0 ? ` in ${formatSeconds(leftMs)} unless it recovers` : " with the next evaluation";
      const then = obstructed === undefined ? "" : `; then ${obstructed}`;
      const message = `would not act yet: row ${told.row} (${row?.action ?? "unknown action"}) fires${when}${then}`;
      return { kind: "NoRowFires", message };
    }
    case "Unknown":
      return { kind: "NoRowFires", message: `would not act now: ${told.message}${blind}${hypothetical}` };
    case "Firing":
      return { kind: "Unknown", message: `not known: row ${told.row} fires, which the policy does not have` };
    case "Quiet":
      return { kind: "NoRowFires", message: `would not act now: no row fires${blind}${hypothetical}` };
  }
}

function blindText(signals: readonly SignalFinding[], now: number): string {
  const blind = signals.filter(({ hasVerdict }) => !hasVerdict);
  if (blind.length === 0) return "";
  const list = blind.map(({ name, state, since }) => {
    const span = since === undefined ? "" : ` for ${formatSeconds(now - Date.parse(since))}`;
    return `${name} ${state}${span}`;
  });
  return `; never acts on missing data: ${list.join(", ")}`;
}

/** What would keep a row that fires from acting, in a few words, as far as it can be told before one does. */
function obstacle(
  { status }: RollbackPolicy,
  guards: readonly GuardFinding[],
  now: number,
): string | undefined {
  const refusals = guards.flatMap((each) => (each.state === "Refuses" ? [each] : []));
  if (refusals.length > 0) {
    const list = refusals.map((each) => `${each.guard}${leftText(each, now)}`);
    return `held by ${list.join(", and by ")}`;
  }
  const ready = status?.conditions?.find(({ type }) => type === "RollbackReady");
  return ready?.status === "False" ? `its plan would not work (${ready.reason})` : undefined;
}

function firstRefusal(guards: readonly GuardFinding[]): Refusal | undefined {
  return guards.find((each): each is Refusal => each.state === "Refuses");
}

function firingVerdict(input: VerdictInput, rules: PolicyRules, firing: FiringRow): Verdict {
  const { row } = firing;
  const fires = `row ${row.name} fires`;
  switch (row.action) {
    case "Notify":
      return { kind: "WouldTell", message: `would only tell: ${fires}, its action is Notify` };
    case "Prepare":
      return { kind: "WouldPrepare", message: `would only make the plan: ${fires}, its action is Prepare` };
    case "Propose":
      return proposal(input, rules, firing, `${fires}, its action is Propose`);
    case "Rollback":
      return rollback(input, rules, firing, fires);
  }
}

function rollback(input: VerdictInput, rules: PolicyRules, firing: FiringRow, fires: string): Verdict {
  const { guards, snapshot } = input;
  const refusal = firstRefusal(guards);
  if (refusal !== undefined) {
    const attribution = known(() => guardInput(snapshot, rules, firing, "Rollback").attribution);
    const asks = attribution.kind === "Seen" && asksInstead(refusal.reason, attribution.value);
    return asks
      ? proposal(input, rules, firing, `${fires}, but ${refusal.message}`)
      : { kind: "Held", message: `would not act now: ${fires}, held by ${holdText(refusal, snapshot.now)}` };
  }
  return readiness(input, rules, firing, "WouldRollBack", `would roll back: ${fires}`, guards);
}

function proposal(input: VerdictInput, rules: PolicyRules, firing: FiringRow, why: string): Verdict {
  const { snapshot } = input;
  const all = askGuards(guardInput(snapshot, rules, firing, "Propose"));
  const guards = all.filter(({ bindsProposals }) => bindsProposals);
  const refusal = firstRefusal(guards);
  if (refusal?.reason === "TargetBusy") {
    return { kind: "UnderWay", message: `has asked already: ${refusal.message}` };
  }
  return refusal === undefined
    ? readiness(input, rules, firing, "WouldAsk", `would ask a person: ${why}`, guards)
    : { kind: "Held", message: `would not ask now: ${why}, held by ${holdText(refusal, snapshot.now)}` };
}

/** No guard that is seen refuses: what is left is whether the plan would work, and what is not seen. */
function readiness(
  { snapshot: { policy, now } }: VerdictInput,
  { plans }: PolicyRules,
  { row, since }: FiringRow,
  kind: Verdict["kind"],
  message: string,
  guards: readonly GuardFinding[],
): Verdict {
  const { conditions, lastDecision } = policy.status ?? {};
  const ready = conditions?.find(({ type }) => type === "RollbackReady");
  if (row.plan === plans[0]?.name && ready?.status === "False") {
    const why = `${ready.reason}: ${ready.message}`;
    return {
      kind: "Held",
      message: `would not act now: row ${row.name} fires, but its plan would not work: ${why}`,
    };
  }
  const unseen = guards.filter(({ state }) => state !== "Ok").map(({ guard }) => guard);
  const doubt =
    unseen.length === 0 ? "" : `, unless a guard refuses that is not seen here: ${unseen.join(", ")}`;
  const at = Date.parse(lastDecision?.at ?? "");
  const wasHeld = lastDecision?.verdict === "Held" && lastDecision.row === row.name && at >= since;
  const before = wasHeld ? `; it was held ${formatSeconds(now - at)} ago, see "decided"` : "";
  return { kind, message: `${message}${doubt}${before}` };
}

/** `cool-down, 12m3s left`; without a time the guard's own words. */
function holdText(refusal: Refusal, now: number): string {
  return refusal.retryAt === undefined
    ? `${refusal.guard}: ${refusal.message}`
    : `${refusal.guard}${leftText(refusal, now)}`;
}

function leftText({ retryAt }: Refusal, now: number): string {
  return retryAt === undefined ? "" : `, ${formatSeconds(Date.parse(retryAt) - now)} left`;
}
