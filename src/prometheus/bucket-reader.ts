import type { Answer, Element, PrometheusError } from "./answer.ts";
import { numberOf } from "./answer.ts";
import { Batcher, type Deliver } from "./batcher.ts";
import { divide } from "./divide.ts";
import { nobody } from "./form.ts";
import { writeBuckets } from "./question.ts";
import type { Breadth } from "./roles.ts";
import type { GroupContext } from "./group-context.ts";
import type { QuantileQuery } from "./signal-query.ts";
import { byTarget, targetKey, type ByTarget } from "./targets.ts";

export type HighestBucket =
  | { readonly kind: "Found"; readonly bound: number }
  | { readonly kind: "NoBuckets" }
  | { readonly kind: "Failed"; readonly error: PrometheusError };

/** A histogram has some dozens of buckets: an answer about so many targets is not large. */
const MOST_TARGETS = 250;
const BUDGET = 40;

/** Finds the highest finite bucket bounds of the histograms of one group, in the samples' unit. */
export class BucketReader {
  readonly #context: GroupContext;
  readonly #breadth: Breadth;
  readonly #batches: Batcher<
    "buckets",
    { readonly query: QuantileQuery; readonly at: number },
    HighestBucket
  >;

  constructor(context: GroupContext, breadth: Breadth) {
    this.#context = context;
    this.#breadth = breadth;
    this.#batches = new Batcher({
      ask: (_, members, deliver, signal) => this.#readAll(members, deliver, signal),
      keyText: String,
      most: () => MOST_TARGETS,
    });
  }

  /** Of a classic histogram. */
  read(query: QuantileQuery, at: number, signal: AbortSignal): Promise<HighestBucket> {
    return this.#batches.read("buckets", { query, at }, signal);
  }

  async #readAll<M extends { readonly query: QuantileQuery; readonly at: number }>(
    members: readonly M[],
    deliver: Deliver<M, HighestBucket>,
    signal: AbortSignal,
  ): Promise<void> {
    const form = members[0]?.query.form;
    if (form === undefined) return;
    // Buckets do not change from one instant to the next.
    const at = Math.max(...members.map((member) => member.at));
    const ask = async (text: string): Promise<Answer<ByTarget<Element>>> => {
      const answer = await this.#context.api.instant(text, at, signal);
      return answer.kind === "Failed"
        ? answer
        : { kind: "Ok", value: byTarget(answer.value, form.labels, ["le"]) };
    };
    const parts = await divide<M, ByTarget<Element>>(members, {
      ask: (some) => ask(writeBuckets(form, this.#breadth.terms(some.map(({ query }) => query.target)))),
      failsAnyway: async () => (await ask(writeBuckets(form, [nobody(form.labels)]))).kind === "Failed",
      budget: BUDGET,
    });
    for (const part of parts) {
      for (const member of part.members) {
        const { answer } = part;
        deliver(member, answer.kind === "Failed" ? answer : highestOf(member.query, answer.value));
      }
    }
  }
}

function highestOf({ target, scale }: QuantileQuery, answer: ByTarget<Element>): HighestBucket {
  const bounds = (answer.get(targetKey(target)) ?? [])
    .map(({ labels }) => numberOf(labels["le"] ?? ""))
    .filter(Number.isFinite);
  return bounds.length === 0 ? { kind: "NoBuckets" } : { kind: "Found", bound: Math.max(...bounds) * scale };
}
