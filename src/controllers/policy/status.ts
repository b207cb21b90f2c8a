import type { Condition } from "../../crds/common.ts";
import type { RollbackPolicyStatus, SignalState } from "../../crds/policy-status.ts";
import type { RowEvaluation } from "../../decision/matrix.ts";
import { overall, WHOLE, type Reading, type Sample } from "../../decision/sample.ts";
import { clockTime, formatValue } from "../../decision/sentence.ts";
import { cannotEvaluate } from "../../decision/signal-health.ts";
import {
  cutText,
  removeCondition,
  setCondition,
  type Condition as FullCondition,
} from "../../kube/conditions.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Breach } from "./breach-condition.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { PolicyRuntime } from "./runtime.ts";

/** How a policy stands, before it is put into conditions. */
export type Standing =
  /** Nothing will change until a person or another object does something. */
  | { readonly kind: "Stalled"; readonly reason: string; readonly message: string }
  /** It may heal by itself. */
  | { readonly kind: "Impaired"; readonly reason: string; readonly message: string }
  | { readonly kind: "Ready"; readonly reason: string; readonly message: string };

/** Facts of the status besides the conditions; what is undefined is left as it is. */
export type PolicyFacts = Pick<
  RollbackPolicyStatus,
  "signals" | "release" | "rollbackTarget" | "lastDecision" | "matrix" | "prepared"
>;

/** The whole status. Written only when it differs, and built so that it differs on transitions only. Pure. */
export function policyStatus(
  policy: RollbackPolicy,
  standing: Standing,
  rollbackReady: Breach,
  breached: Breach,
  facts: PolicyFacts,
  now: number,
): RollbackPolicyStatus {
  const observedGeneration = policy.metadata.generation ?? 1;
  let list = (policy.status?.conditions ?? []) as readonly FullCondition[];
  const set = (type: string, status: Condition["status"], reason: string, message: string) => {
    list = setCondition(list, { type, status, reason, message, observedGeneration }, now);
  };
  const { reason, message } = standing;
  // Never both: whoever reads the list in order must meet one verdict.
  list = removeCondition(removeCondition(list, "Stalled"), "Reconciling");
  const before = (policy.status?.conditions ?? []) as readonly FullCondition[];
  const keepTime = (type: string) => {
    const old = before.find((condition) => condition.type === type);
    if (old !== undefined) list = [...list, old];
  };
  if (standing.kind === "Stalled") {
    keepTime("Stalled");
    set("Stalled", "True", reason, message);
  } else if (standing.kind === "Impaired") {
    keepTime("Reconciling");
    set("Reconciling", "True", reason, message);
  }
  set("Ready", standing.kind === "Ready" ? "True" : "False", reason, message);
  set("RollbackReady", rollbackReady.status, rollbackReady.reason, rollbackReady.message);
  set("Breached", breached.status, breached.reason, breached.message);
  return {
    ...facts,
    target: `${policy.spec.target.kind}/${policy.spec.target.name}`,
    observedGeneration:
      standing.kind === "Impaired" ? (policy.status?.observedGeneration ?? -1) : observedGeneration,
    conditions: [...list].sort((a, b) => order(a.type) - order(b.type)),
  };
}

/** Signals by name, each with the time since which it is in its state. */
export function signalFacts(
  policy: RollbackPolicy,
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  now: number,
): NonNullable<PolicyFacts["signals"]> {
  return compiled.signals.flatMap(({ name, source }) => {
    const reading = runtime.readings.get(name);
    if (reading === undefined) return [];
    const { part, sample, state } = shownOf(name, reading, runtime.evaluations);
    const old = policy.status?.signals?.find((each) => each.name === name);
    // The value and the server's words change all the time; only a transition is news.
    if (old?.state === state) return [old];
    return [
      {
        name,
        state,
        since: new Date(now).toISOString(),
        ...(sample.kind === "Value"
          ? { value: cutText(`${formatValue(sample.value, source.unit)}${ofPart(part)}`, 64) }
          : { detail: cutText(sample.detail, 512) }),
      },
    ];
  });
}

interface Shown {
  readonly part: string;
  readonly sample: Sample;
  readonly state: SignalState;
}

/** The part that breaches, where one does; otherwise the signal as a whole. */
function shownOf(name: string, reading: Reading, evaluations: readonly RowEvaluation[]): Shown {
  const breach = evaluations.find(({ row, verdict }) => row.signal === name && verdict === "Breach");
  if (breach !== undefined) return { part: breach.part, sample: breach.sample, state: "Breach" };
  const sample = overall(reading);
  return { part: WHOLE, sample, state: sample.kind === "Value" ? "Ok" : sample.kind };
}

function ofPart(part: string): string {
  return part === WHOLE ? "" : ` of ${part}`;
}

/**
 * Ready, in one sentence such as `2 signals Ok, revision 7 known good since 10:02:11`. `notes` are what else a person should
 * know.
 */
export function standingOf(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  facts: PolicyFacts,
  now: number,
  notes: readonly string[] = [],
): Standing {
  const [unreachable] = runtime.unreachable.values();
  if (unreachable !== undefined) return { kind: "Stalled", reason: "CannotEvaluate", message: unreachable };
  const blind = [...runtime.health].filter(([, health]) => cannotEvaluate(health));
  if (blind.length > 0) {
    const why = blind.map(([name, { detail }]) => `${name}: ${detail ?? "no verdict"}`).join("; ");
    return {
      kind: "Impaired",
      reason: "CannotEvaluate",
      message: `cannot evaluate, so nothing is done: ${why}`,
    };
  }
  const states = Map.groupBy(facts.signals ?? [], ({ state }) => state);
  const counts = [...states].map(
    ([state, list]) => `${list.length} ${list.length === 1 ? "signal" : "signals"} ${state}`,
  );
  const parts = [counts.length === 0 ? "first evaluation is under way" : counts.join(", ")];
  // As it was when that state began: the server's words may change with every answer.
  const unclear = facts.signals?.find(({ detail }) => detail !== undefined);
  if (unclear !== undefined) parts[0] += ` (${unclear.name}: ${unclear.detail})`;
  if (facts.release?.knownGoodSince !== undefined) {
    const since = clockTime(Date.parse(facts.release.knownGoodSince), now);
    parts.push(`revision ${facts.release.revision} known good since ${since}`);
  } else if (facts.release !== undefined) {
    parts.push(`revision ${facts.release.revision} not known good yet`);
  }
  if (compiled.view.mode === "Observe") parts.push("mode Observe: never acts");
  parts.push(...notes);
  return { kind: "Ready", reason: "Evaluating", message: parts.join(", ") };
}

function order(type: string): number {
  const index = ["Stalled", "Reconciling", "Ready", "RollbackReady", "Breached"].indexOf(type);
  return index === -1 ? 9 : index;
}
