import type { Baking } from "../../decision/known-good.ts";
import type { RowEvaluation } from "../../decision/matrix.ts";
import { overall, type Reading } from "../../decision/sample.ts";
import { cannotEvaluate, type SignalHealth } from "../../decision/signal-health.ts";
import { phaseOf } from "../../decision/window.ts";

/** What an evaluation asks for. Fires: a decision, at once. News: another status, or an entry in the ledger. */
export type Tidings = "Quiet" | "News" | "Fires";

/** What an evaluation left behind, of which status, ledger and decisions are made. */
export interface Outcome {
  readonly lastTickAt: number | undefined;
  readonly evaluations: readonly RowEvaluation[];
  readonly readings: ReadonlyMap<string, Reading>;
  readonly health: ReadonlyMap<string, SignalHealth>;
  readonly baking: Baking | undefined;
}

/**
 * Whether anybody has to be told of an evaluation. A row that fires is decided on at every instant, since guards let go
 * with time; for the rest only a transition counts: values change with every scrape. Pure.
 */
export function tidingsOf(before: Outcome, after: Outcome): Tidings {
  if (after.evaluations.some(({ fires }) => fires)) return "Fires";
  const isQuiet =
    before.lastTickAt !== undefined &&
    sameReadings(before.readings, after.readings) &&
    sameHealth(before.health, after.health) &&
    sameEvaluations(before.evaluations, after.evaluations) &&
    isKnownGood(before.baking) === isKnownGood(after.baking);
  return isQuiet ? "Quiet" : "News";
}

/** Of the same signals, each in the state that it was in. */
function sameReadings(before: Outcome["readings"], after: Outcome["readings"]): boolean {
  for (const [name, reading] of after) {
    const old = before.get(name);
    if (old === undefined || overall(old).kind !== overall(reading).kind) return false;
  }
  return before.size === after.size;
}

/** The words of a signal that cannot be evaluated stand in the policy's condition. */
function sameHealth(before: Outcome["health"], after: Outcome["health"]): boolean {
  for (const [name, health] of after) {
    const old = before.get(name);
    const isBlind = cannotEvaluate(health);
    if (isBlind !== (old !== undefined && cannotEvaluate(old))) return false;
    if (isBlind && health.detail !== old?.detail) return false;
  }
  return true;
}

/** Parts that are Ok come and go with the traffic: only what is not Ok is compared, by row and part. */
function sameEvaluations(before: readonly RowEvaluation[], after: readonly RowEvaluation[]): boolean {
  const notable = after.filter(isNotable);
  const old = before.filter(isNotable);
  if (notable.length !== old.length) return false;
  return notable.every((each, index) => {
    const isSame = (one: RowEvaluation | undefined) =>
      one !== undefined && one.row.name === each.row.name && one.part === each.part;
    const was = isSame(old[index]) ? old[index] : old.find(isSame);
    return (
      was !== undefined &&
      was.verdict === each.verdict &&
      was.window.run?.since === each.window.run?.since &&
      phase(was) === phase(each)
    );
  });
}

function isNotable({ verdict, window }: RowEvaluation): boolean {
  return verdict !== "Ok" || window.run !== undefined;
}

function phase({ window, row }: RowEvaluation) {
  return phaseOf(window, row.forMs);
}

function isKnownGood(baking: Baking | undefined): boolean {
  return baking?.kind === "KnownGood";
}
