import type { BreachingWorkload, EvidenceQuestion, ScopeEvidence } from "../decision/attribution/evidence.ts";
import type { Answer, Series } from "./answer.ts";
import { countBy } from "./promql.ts";
import { limited, limitsOf, ROLE, rolesBy, rolesOf } from "./evidence-query.ts";
import { instantsOf, pointsOf } from "./evidence-range.ts";
import type { Selector } from "./selector.ts";
import type { Range } from "./roles.ts";
import type { FormQuery } from "./signal-query.ts";

const BEFORE_ONSET_MS = 300_000;
const AFTER_ONSET_MS = 600_000;
const STEP_MS = 30_000;
/** Breaching workloads that are told of; more of them say nothing more. */
const MOST = 50;
const TOGETHER_MS = 60_000;
/** Steps during the breach from which on its absence is no chance. */
const LEAST_STEPS = 2;

export interface ScopePlan {
  readonly text: string;
  readonly range: Range;
  readonly labels: readonly string[];
}

/**
 * The signal's question for all workloads: grouped by the labels that identify one, without their values, except those
 * that the server forces (`forced`). Undefined where that leaves no other workload. Policies that differ in their target
 * only ask the same, on one grid of instants.
 */
export function planScope(
  query: FormQuery,
  { at, onset, row }: EvidenceQuestion,
  forced: string | undefined,
): ScopePlan | undefined {
  const { labels, by, windowMs } = query.form;
  const free = labels.filter((label) => label !== forced);
  if (free.length === 0) return undefined;
  const own = limitsOf(query, {});
  const kept = Object.fromEntries(Object.entries(own).filter(([label]) => label === forced));
  const write = (selector: Selector): string =>
    limited({ ...selector, matchers: selector.matchers.filter(({ label }) => !free.includes(label)) }, kept);
  const [first, second] = rolesBy(query.form, [...labels, ...by], write);
  const value = query.kind === "ratio" ? `${first} / ${second}` : first;
  const limit = `${row.comparison === "above" ? ">" : "<"} ${row.threshold / query.scale}`;
  const busy = `${second} > ${Math.max(query.minimumRequests - 0.5, 0) / (windowMs / 1000)}`;
  const breaching = `topk(${MOST}, ${countBy(labels, `(${value}) ${limit} and ${busy}`)})`;
  const start = floor(onset - BEFORE_ONSET_MS, 2 * STEP_MS);
  const end = Math.max(start, floor(Math.min(at, onset + row.forMs + AFTER_ONSET_MS), STEP_MS));
  return {
    text: rolesOf({ breaching, all: `count(${countBy(labels, busy)})` }),
    range: { start, end, step: STEP_MS },
    labels,
  };
}

/**
 * Undefined where the answer does not say how many workloads there are. One that shows nothing of our own breach, though
 * it was asked about enough of it, lacks what others may hide behind as well.
 */
export function readScope(
  plan: ScopePlan,
  query: FormQuery,
  question: EvidenceQuestion,
  series: readonly Series[],
): Answer<ScopeEvidence | undefined> {
  const { range, labels } = plan;
  const all = series.find((each) => each.labels[ROLE] === "all")?.points.at(-1)?.value;
  const breaching = series.filter((each) => each.labels[ROLE] === "breaching");
  const isOurs = (each: Series): boolean =>
    labels.every((label, i) => (each.labels[label] ?? "") === query.target[i]);
  // Between the evaluations of a short breach the value may have been fine.
  const during = instantsOf(range).filter((at) => at >= question.onset);
  const isKnown = all !== undefined && showsOwn(breaching, isOurs, during, query, question);
  if (!isKnown && during.length >= LEAST_STEPS) {
    const message = "the server's answer about all workloads does not show the breach of this one";
    return { kind: "Failed", error: { kind: "Partial", message } };
  }
  if (all === undefined) return { kind: "Ok", value: undefined };
  const others = breaching
    .filter((each) => !isOurs(each))
    .flatMap((each): BreachingWorkload[] => {
      const since = each.points[0]?.at;
      return since === undefined ? [] : [{ name: nameOf(each, labels), since }];
    });
  return {
    kind: "Ok",
    value: {
      others: Math.max(all - 1, others.length, 0),
      from: range.start,
      togetherMs: Math.max(TOGETHER_MS, query.windowMs) + range.step,
      breaching: others.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    },
  };
}

/** Whether our own workload breaches at one of the instants, or may without being told of. */
function showsOwn(
  breaching: readonly Series[],
  isOurs: (each: Series) => boolean,
  during: readonly number[],
  query: FormQuery,
  { row }: EvidenceQuestion,
): boolean {
  // A share too low may be that of nothing counted: no series, which is no value here.
  if (query.kind === "ratio" && row.comparison === "below") return true;
  const ours = breaching.filter(isOurs).map(pointsOf);
  const told = breaching.map(pointsOf);
  return (
    during.some((at) => ours.some((points) => points.has(at))) ||
    during.every((at) => told.filter((points) => points.has(at)).length >= MOST)
  );
}

function nameOf({ labels }: Series, names: readonly string[]): string {
  return names.map((label) => `${label}=${(labels[label] ?? "").slice(0, 80)}`).join(", ");
}

function floor(ms: number, step: number): number {
  return Math.floor(ms / step) * step;
}
