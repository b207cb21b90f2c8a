import type { Answer, Element, PrometheusError } from "./answer.ts";
import type { MonotonicClock } from "./breaker.ts";
import type { PrometheusApi } from "./client.ts";
import { divide } from "./divide.ts";
import { nobody, termOf } from "./form.ts";
import { missingProof, writeProofs } from "./question.ts";
import type { RatioQuery } from "./signal-query.ts";
import { byTarget, targetKey, type ByTarget, type WriteTerms } from "./targets.ts";

/** What was seen is not asked for again that long; what is missing is asked for at every sample. */
const PROOF_MS = 300_000;
const BUDGET = 40;

/** Why "no bad series" may not be read as zero. */
export type Doubt =
  | { readonly kind: "Missing"; readonly detail: string }
  | { readonly kind: "Failed"; readonly error: PrometheusError };

/** What has been seen of the targets of one server. */
export class Proofs {
  readonly #api: PrometheusApi;
  readonly #clock: MonotonicClock;
  /** Monotonic ms until which a proof holds, by `shape` and what it proves for whom. */
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(api: PrometheusApi, clock: MonotonicClock) {
    this.#api = api;
    this.#clock = clock;
  }

  /** For queries of one form at an instant: the doubt about each for which something is missing. */
  async doubts(
    queries: readonly RatioQuery[],
    terms: WriteTerms,
    atMs: number,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<RatioQuery, Doubt>> {
    const doubts = new Map<RatioQuery, Doubt>();
    const form = queries[0]?.form;
    const proofs = form === undefined ? 0 : writeProofs(form, []).length;
    for (let proof = 0; proof < proofs; proof += 1) {
      const asked = queries.filter((query) => !doubts.has(query) && !this.#holds(query, proof));
      if (asked.length === 0) continue;
      for (const [query, doubt] of await this.#ask(asked, proof, terms, atMs, signal))
        doubts.set(query, doubt);
    }
    return doubts;
  }

  async #ask(
    queries: readonly RatioQuery[],
    proof: number,
    terms: WriteTerms,
    atMs: number,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<RatioQuery, Doubt>> {
    this.#forget();
    const labels = queries[0]?.form.labels ?? [];
    const parts = await divide<RatioQuery, ByTarget<Element>>(queries, {
      ask: async (some) => {
        const text = some[0] && writeProofs(some[0].form, terms(some.map(({ target }) => target)))[proof];
        return await this.#count(text, labels, atMs, signal);
      },
      failsAnyway: async () => {
        const text = queries[0] && writeProofs(queries[0].form, [nobody(labels)])[proof];
        return (await this.#count(text, labels, atMs, signal)).kind === "Failed";
      },
      budget: BUDGET,
    });
    const doubts = new Map<RatioQuery, Doubt>();
    for (const { members, answer } of parts) {
      for (const query of members) {
        if (answer.kind === "Failed") {
          doubts.set(query, answer);
        } else if (answer.value.has(targetKey(query.target))) {
          this.#remember(query, proof);
        } else {
          doubts.set(query, {
            kind: "Missing",
            detail: missingProof(query.form, proof, termOf(query.target)),
          });
        }
      }
    }
    return doubts;
  }

  async #count(
    text: string | undefined,
    labels: readonly string[],
    atMs: number,
    signal: AbortSignal,
  ): Promise<Answer<ByTarget<Element>>> {
    if (text === undefined) return { kind: "Ok", value: new Map() };
    const answer = await this.#api.instant(text, atMs, signal);
    return answer.kind === "Failed" ? answer : { kind: "Ok", value: byTarget(answer.value, labels, []) };
  }

  #holds({ shape, target }: RatioQuery, proof: number): boolean {
    const until = this.#seen.get(`${shape} ${proof}`)?.get(targetKey(target));
    return until !== undefined && until > this.#clock.monotonic();
  }

  #remember({ shape, target }: RatioQuery, proof: number): void {
    const seen = this.#seen.get(`${shape} ${proof}`) ?? new Map<string, number>();
    this.#seen.set(`${shape} ${proof}`, seen);
    seen.delete(targetKey(target));
    seen.set(targetKey(target), this.#clock.monotonic() + PROOF_MS);
  }

  /** Entries stand in the order of their end: what has ended stands first. */
  #forget(): void {
    const now = this.#clock.monotonic();
    for (const [proof, seen] of this.#seen) {
      for (const [key, until] of seen) {
        if (until > now) break;
        seen.delete(key);
      }
      if (seen.size === 0) this.#seen.delete(proof);
    }
  }
}
