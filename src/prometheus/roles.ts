import type { Answer, Element, Series } from "./answer.ts";
import type { PrometheusApi } from "./client.ts";
import type { Form, Target, Term } from "./form.ts";
import { writeRoles } from "./question.ts";
import { byTarget, exactTerms, wideTerms, type ByTarget, type WriteTerms } from "./targets.ts";

/** The answers to the two queries of a form, by target. */
export interface Roles<T> {
  readonly first: ByTarget<T>;
  readonly second: ByTarget<T>;
}

/** Instants from `start` to `end`, both included. All in ms. */
export interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

export async function askInstant(
  api: PrometheusApi,
  form: Form,
  terms: readonly Term[],
  atMs: number,
  signal: AbortSignal,
): Promise<Answer<Roles<Element>>> {
  return await askBoth(form, terms, (query) => api.instant(query, atMs, signal));
}

export async function askRange(
  api: PrometheusApi,
  form: Form,
  terms: readonly Term[],
  { start, end, step }: Range,
  signal: AbortSignal,
): Promise<Answer<Roles<Series>>> {
  return await askBoth(form, terms, (query) => api.range(query, start, end, step, signal));
}

async function askBoth<T extends Element | Series>(
  form: Form,
  terms: readonly Term[],
  ask: (query: string) => Promise<Answer<readonly T[]>>,
): Promise<Answer<Roles<T>>> {
  const [first, second] = await Promise.all(writeRoles(form, terms).map(ask));
  if (first === undefined || second === undefined) throw new Error("a form has two queries");
  if (first.kind === "Failed") return first;
  if (second.kind === "Failed") return second;
  const { labels, by } = form;
  return {
    kind: "Ok",
    value: { first: byTarget(first.value, labels, by), second: byTarget(second.value, labels, by) },
  };
}

/** Combinations that nobody asked for are borne up to as many as were asked for, and some more. */
const FOREIGN = { perTarget: 1, more: 500 };

/**
 * How the targets of one group are written: wide as long as that finds few series of combinations that nobody asked
 * for, exactly from then on.
 */
export class Breadth {
  #isExact = false;

  readonly terms: WriteTerms = (targets) => (this.#isExact ? exactTerms(targets) : wideTerms(targets));

  /** Asks for the targets; an answer that is too large only for its breadth is asked for again. */
  async ask<T>(
    targets: readonly Target[],
    ask: (terms: readonly Term[]) => Promise<Answer<Roles<T>>>,
  ): Promise<Answer<Roles<T>>> {
    const answer = await ask(this.terms(targets));
    if (this.#isExact) return answer;
    if (answer.kind === "Ok") {
      const found = Math.max(answer.value.first.size, answer.value.second.size);
      this.#isExact = found > targets.length * (1 + FOREIGN.perTarget) + FOREIGN.more;
      return answer;
    }
    if (answer.error.kind !== "TooLarge" || exactTerms(targets).length <= 1) return answer;
    this.#isExact = true;
    return await ask(this.terms(targets));
  }
}
