import type { Reading } from "../decision/sample.ts";
import type { Answer, Element, PrometheusError } from "./answer.ts";
import { Batcher, type Deliver } from "./batcher.ts";
import { Cells } from "./cells.ts";
import { classifyForm, needsProof } from "./classify.ts";
import { divide } from "./divide.ts";
import { nobody } from "./form.ts";
import { errorSample } from "./error-sample.ts";
import type { GroupContext } from "./group-context.ts";
import { PastReader, type PastAnswer } from "./past-reader.ts";
import { askInstant, Breadth, type Range, type Roles } from "./roles.ts";
import type { FormQuery, RatioQuery } from "./signal-query.ts";
import { BucketReader, type HighestBucket } from "./bucket-reader.ts";
import { targetKey } from "./targets.ts";

/** One signal's place in a group. Small: there are tens of thousands. */
export class Membership {
  /** The query that it was made with; its form is the one that all of the group share. */
  readonly query: FormQuery;
  readonly #group: SignalGroup;

  constructor(group: SignalGroup, query: FormQuery) {
    this.#group = group;
    this.query = query;
  }

  read(atMs: number, signal: AbortSignal): Promise<Reading> {
    return this.#group.read(this, atMs, signal);
  }

  readPast(range: Range, signal: AbortSignal): Promise<PastAnswer> {
    return this.#group.past.read(this.query, range, signal);
  }

  async highestBucket(atMs: number, signal: AbortSignal): Promise<HighestBucket> {
    const { query } = this;
    return query.kind === "quantile" && query.form.format === "Classic"
      ? await this.#group.buckets.read(query, atMs, signal)
      : { kind: "NoBuckets" };
  }

  /** Gives the place up; nothing is read afterwards. */
  leave(): void {
    this.#group.leave(this);
  }
}

/** Who has not read its part so often is asked about only when it reads again: its policy is suspended, or cannot work. */
const UNREAD = 20;

/** Questions more than usual at one instant, to find who makes them fail; the search goes on at the next one. */
const BUDGET = 40;

/**
 * Signals of one form on one server. The first that reads at an instant asks for all of them, and the others get their
 * part of that answer; one question, of two queries, is under way at a time. A question that fails for a reason of its
 * own is asked in halves until who is to blame stands alone.
 */
export class SignalGroup {
  readonly #context: GroupContext;
  readonly #breadth = new Breadth();
  readonly #onEmpty: () => void;
  /** Members, with how many instants in a row were asked for on their behalf that they did not read. */
  readonly #members = new Map<Membership, number>();
  readonly #cells = new Cells<Membership>();
  readonly #now: Batcher<number, Membership, Reading>;
  readonly past: PastReader;
  readonly buckets: BucketReader;
  /** What is known of the newest instant. */
  #newest: { readonly at: number; readonly readings: Map<Membership, Reading> } | undefined;

  /** `onEmpty` is called when the last member has left. */
  constructor(context: GroupContext, onEmpty: () => void = () => undefined) {
    this.#context = context;
    this.#onEmpty = onEmpty;
    this.#now = new Batcher({
      ask: (at, members, deliver, signal) => this.#readAll(at, members, deliver, signal),
      keyText: String,
      most: () => Infinity,
    });
    this.past = new PastReader(context, this.#breadth);
    this.buckets = new BucketReader(context, this.#breadth);
  }

  /** The query must have the form of the others. */
  join(query: FormQuery): Membership {
    const [other] = this.#members.keys();
    const member = new Membership(this, other === undefined ? query : withForm(query, other.query));
    // Nothing is asked on its behalf before it reads: it may never do so.
    this.#members.set(member, UNREAD);
    this.#cells.add(member);
    return member;
  }

  leave(member: Membership): void {
    this.#members.delete(member);
    this.#cells.remove(member);
    this.#newest?.readings.delete(member);
    if (this.#members.size === 0) this.#onEmpty();
  }

  async read(member: Membership, at: number, signal: AbortSignal): Promise<Reading> {
    signal.throwIfAborted();
    if (this.#members.has(member)) this.#members.set(member, 0);
    const known = this.#newest?.at === at ? this.#newest.readings.get(member) : undefined;
    return known ?? (await this.#now.read(at, member, signal));
  }

  async #readAll(
    at: number,
    wanted: readonly Membership[],
    deliver: Deliver<Membership, Reading>,
    signal: AbortSignal,
  ): Promise<void> {
    const readings = this.#newest?.at === at ? this.#newest.readings : new Map<Membership, Reading>();
    const asked = new Set(wanted.filter((member) => !readings.has(member)));
    for (const member of wanted) {
      const known = readings.get(member);
      if (known !== undefined) deliver(member, known);
    }
    if (this.#newest === undefined || at > this.#newest.at) {
      this.#newest = { at, readings };
      for (const [member, unread] of this.#members) {
        if (!asked.has(member) && unread >= UNREAD) continue;
        asked.add(member);
        this.#members.set(member, unread + 1);
      }
    }
    const tell: Deliver<Membership, Reading> = (member, reading) => {
      if (this.#members.has(member)) readings.set(member, reading);
      deliver(member, reading);
    };
    for (const cell of this.#cells.together()) await this.#readCell(cell, asked, at, tell, signal);
    await this.#readApart(asked, at, tell, signal);
    // Who left while it was asked about.
    for (const member of asked) {
      if (!this.#members.has(member)) deliver(member, GONE);
    }
  }

  async #readCell(
    cell: ReadonlySet<Membership>,
    asked: ReadonlySet<Membership>,
    at: number,
    tell: Deliver<Membership, Reading>,
    signal: AbortSignal,
  ): Promise<void> {
    const members = [...cell].filter((member) => asked.has(member));
    if (members.length === 0) return;
    const parts = await divide<Membership, true>(members, {
      ask: (some) => this.#ask(some, at, tell, signal),
      failsAnyway: () => this.#failsAnyway(at, signal),
      budget: BUDGET,
    });
    this.#cells.settle(cell, parts, at);
    for (const part of parts) {
      if (part.answer.kind === "Failed") tellAll(part.members, part.answer.error, tell);
    }
  }

  async #readApart(
    asked: ReadonlySet<Membership>,
    at: number,
    tell: Deliver<Membership, Reading>,
    signal: AbortSignal,
  ): Promise<void> {
    for (const [member, error] of this.#cells.apart(at)) {
      if (!asked.has(member)) continue;
      if (error !== undefined) {
        tellAll([member], error, tell);
        continue;
      }
      const answer = await this.#ask([member], at, tell, signal);
      this.#cells.settleApart(member, { answer }, at);
      if (answer.kind === "Failed") tellAll([member], answer.error, tell);
    }
  }

  /** Tells each member its reading as soon as it is known. */
  async #ask(
    members: readonly Membership[],
    at: number,
    tell: Deliver<Membership, Reading>,
    signal: AbortSignal,
  ): Promise<Answer<true>> {
    const { api, proofs } = this.#context;
    const queries = members.map(({ query }) => query);
    const form = queries[0]?.form;
    if (form === undefined) return { kind: "Ok", value: true };
    const answer = await this.#breadth.ask(
      queries.map(({ target }) => target),
      (terms) => askInstant(api, form, terms, at, signal),
    );
    if (answer.kind === "Failed") return answer;
    const unproven: { readonly member: Membership; readonly query: RatioQuery }[] = [];
    for (const member of members) {
      const { query } = member;
      const [first, second] = elementsOf(answer.value, query);
      if (needsProof(query, first, second)) unproven.push({ member, query });
      else tell(member, classifyForm(query, first, second, undefined));
    }
    const doubts = await proofs.doubts(
      unproven.map(({ query }) => query),
      this.#breadth.terms,
      at,
      signal,
    );
    for (const { member, query } of unproven) {
      const doubt = doubts.get(query);
      const [first, second] = elementsOf(answer.value, query);
      tell(
        member,
        doubt?.kind === "Failed"
          ? errorSample(doubt.error)
          : classifyForm(query, first, second, doubt?.detail),
      );
    }
    return { kind: "Ok", value: true };
  }

  async #failsAnyway(at: number, signal: AbortSignal): Promise<boolean> {
    const [member] = this.#members.keys();
    if (member === undefined) return false;
    const { form } = member.query;
    return (await askInstant(this.#context.api, form, [nobody(form.labels)], at, signal)).kind === "Failed";
  }
}

/** One object for the form of all: each policy's own copy of it would be the larger part of a query. */
function withForm(query: FormQuery, other: FormQuery): FormQuery {
  if (query.kind === "ratio" && other.kind === "ratio") return { ...query, form: other.form };
  if (query.kind === "quantile" && other.kind === "quantile") return { ...query, form: other.form };
  throw new Error("queries of different forms cannot be asked for together");
}

const GONE: Reading = { kind: "Error", detail: "the signal is not watched any more" };

function tellAll(
  members: readonly Membership[],
  error: PrometheusError,
  tell: Deliver<Membership, Reading>,
): void {
  const reading = errorSample(error);
  for (const member of members) tell(member, reading);
}

function elementsOf(
  { first, second }: Roles<Element>,
  { target }: FormQuery,
): readonly [readonly Element[], readonly Element[]] {
  const key = targetKey(target);
  return [first.get(key) ?? [], second.get(key) ?? []];
}
