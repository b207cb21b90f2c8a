import { WHOLE, type Reading, type TimedSample } from "../decision/sample.ts";
import type { Answer, Element, Series } from "./answer.ts";
import { Batcher, type Deliver } from "./batcher.ts";
import { classifyForm, needsProof } from "./classify.ts";
import { divide } from "./divide.ts";
import { nobody } from "./form.ts";
import { askRange, type Breadth, type Range, type Roles } from "./roles.ts";
import type { GroupContext } from "./group-context.ts";
import type { FormQuery, RatioQuery } from "./signal-query.ts";
import { targetKey } from "./targets.ts";

/** Samples of every step by part; WHOLE where the signal is not split. */
export type PastAnswer = Answer<ReadonlyMap<string, readonly TimedSample[]>>;

/** Prometheus refuses a range of more than 11,000 points per series. */
const MAX_STEPS = 10_000;
/** Points of one answer, which stays far below 8 MiB and bounds what is in memory at once. */
const MAX_POINTS = 60_000;
/** Series of one target for which room is left where label values have a verdict each. */
const PARTS_EXPECTED = 20;
const BUDGET = 60;

/** Reads the past of the signals of one group: who asks for the same range is asked about together. */
export class PastReader {
  readonly #context: GroupContext;
  readonly #breadth: Breadth;
  readonly #batches: Batcher<Range, FormQuery, PastAnswer>;

  constructor(context: GroupContext, breadth: Breadth) {
    this.#context = context;
    this.#breadth = breadth;
    this.#batches = new Batcher({
      ask: (range, queries, deliver, signal) =>
        context.gate.pass(() => this.#readAll(range, queries, deliver, signal)),
      keyText: ({ start, end, step }) => `${start} ${end} ${step}`,
      most: (range) => Math.floor(MAX_POINTS / stepsOf(range)),
    });
  }

  /**
   * A sample for every step, of the same classes as a reading at that instant would have. An error gives no samples: the
   * past stays unknown.
   */
  read(query: FormQuery, range: Range, signal: AbortSignal): Promise<PastAnswer> {
    return this.#batches.read(range, query, signal);
  }

  async #readAll(
    range: Range,
    queries: readonly FormQuery[],
    deliver: Deliver<FormQuery, PastAnswer>,
    signal: AbortSignal,
  ): Promise<void> {
    const isSplit = queries.some(({ by }) => by.length > 0);
    const most = isSplit ? Math.max(1, Math.floor(queries.length / PARTS_EXPECTED)) : queries.length;
    for (let start = 0; start < queries.length; start += most) {
      signal.throwIfAborted();
      await this.#readSome(range, queries.slice(start, start + most), deliver, signal);
    }
  }

  async #readSome(
    range: Range,
    queries: readonly FormQuery[],
    deliver: Deliver<FormQuery, PastAnswer>,
    signal: AbortSignal,
  ): Promise<void> {
    const { api } = this.#context;
    const form = queries[0]?.form;
    if (form === undefined) return;
    const parts = await divide<FormQuery, true>(queries, {
      ask: async (some) => {
        const answer = await this.#ask(some, range, signal);
        if (answer.kind === "Failed") return answer;
        await this.#tell(some, answer.value, range, deliver, signal);
        return { kind: "Ok", value: true };
      },
      failsAnyway: async () => {
        const last = { ...range, start: range.end };
        return (await askRange(api, form, [nobody(form.labels)], last, signal)).kind === "Failed";
      },
      budget: BUDGET,
    });
    for (const { members, answer } of parts) {
      if (answer.kind === "Failed") for (const query of members) deliver(query, answer);
    }
  }

  /** In as many questions as the server allows points. */
  async #ask(
    queries: readonly FormQuery[],
    range: Range,
    signal: AbortSignal,
  ): Promise<Answer<readonly Roles<Series>[]>> {
    const form = queries[0]?.form;
    const pieces: Roles<Series>[] = [];
    if (form === undefined) return { kind: "Ok", value: pieces };
    for (const piece of piecesOf(range)) {
      const answer = await this.#breadth.ask(
        queries.map(({ target }) => target),
        (terms) => askRange(this.#context.api, form, terms, piece, signal),
      );
      if (answer.kind === "Failed") return answer;
      pieces.push(answer.value);
    }
    return { kind: "Ok", value: pieces };
  }

  async #tell(
    queries: readonly FormQuery[],
    pieces: readonly Roles<Series>[],
    range: Range,
    deliver: Deliver<FormQuery, PastAnswer>,
    signal: AbortSignal,
  ): Promise<void> {
    const unproven: { readonly query: RatioQuery; readonly steps: readonly Step[] }[] = [];
    for (const query of queries) {
      const steps = stepsThrough(query, pieces, range);
      // "No bad series" has to be read as zero at some step.
      if (isRatio(query) && steps.some(([, one, two]) => needsProof(query, one, two))) {
        unproven.push({ query, steps });
      } else {
        deliver(query, { kind: "Ok", value: samplesOf(query, steps, undefined) });
      }
    }
    const { proofs } = this.#context;
    const asked = unproven.map(({ query }) => query);
    const doubts = await proofs.doubts(asked, this.#breadth.terms, range.end, signal);
    for (const { query, steps } of unproven) {
      const doubt = doubts.get(query);
      deliver(
        query,
        doubt?.kind === "Failed" ? doubt : { kind: "Ok", value: samplesOf(query, steps, doubt?.detail) },
      );
    }
  }
}

function isRatio(query: FormQuery): query is RatioQuery {
  return query.kind === "ratio";
}

function samplesOf(
  query: FormQuery,
  steps: readonly Step[],
  unproven: string | undefined,
): ReadonlyMap<string, readonly TimedSample[]> {
  const parts = new Map<string, TimedSample[]>();
  for (const [at, first, second] of steps) {
    addReading(parts, at, classifyForm(query, first, second, unproven));
  }
  return parts;
}

/** Files a reading of one instant under its parts. */
export function addReading(parts: Map<string, TimedSample[]>, at: number, reading: Reading): void {
  if (reading.kind !== "Split") {
    addSample(parts, WHOLE, { at, sample: reading });
    return;
  }
  for (const [part, sample] of reading.parts) addSample(parts, part, { at, sample });
}

function addSample(parts: Map<string, TimedSample[]>, part: string, sample: TimedSample): void {
  const known = parts.get(part);
  if (known === undefined) parts.set(part, [sample]);
  else known.push(sample);
}

type Step = readonly [at: number, first: readonly Element[], second: readonly Element[]];

function stepsThrough(query: FormQuery, pieces: readonly Roles<Series>[], range: Range): readonly Step[] {
  const key = targetKey(query.target);
  return alongSteps(
    pieces.flatMap(({ first }) => first.get(key) ?? []),
    pieces.flatMap(({ second }) => second.get(key) ?? []),
    range,
  );
}

/** What two range answers hold at each step; their points lie on the steps, in order. */
export function alongSteps(
  first: readonly Series[],
  second: readonly Series[],
  { start, end, step }: Range,
): readonly Step[] {
  const [ones, twos] = [new Cursors(first), new Cursors(second)];
  const steps: Step[] = [];
  for (let at = start; at <= end; at += step) steps.push([at, ones.elementsAt(at), twos.elementsAt(at)]);
  return steps;
}

/** Walks along several series at once. */
class Cursors {
  readonly #series: readonly Series[];
  readonly #next: number[];

  constructor(series: readonly Series[]) {
    this.#series = series;
    this.#next = series.map(() => 0);
  }

  /** To be asked for later and later instants. */
  elementsAt(at: number): readonly Element[] {
    const elements: Element[] = [];
    for (const [index, { labels, points }] of this.#series.entries()) {
      let next = this.#next[index] ?? 0;
      let point = points[next];
      while (point !== undefined && point.at < at) point = points[(next += 1)];
      this.#next[index] = next;
      if (point?.at === at) elements.push({ labels, at, value: point.value });
    }
    return elements;
  }
}

/** A range in pieces that the server allows, without a seam. */
export function piecesOf({ start, end, step }: Range): readonly Range[] {
  const pieces: Range[] = [];
  for (let from = start; from <= end; from += MAX_STEPS * step) {
    pieces.push({ start: from, end: Math.min(end, from + (MAX_STEPS - 1) * step), step });
  }
  return pieces;
}

function stepsOf({ start, end, step }: Range): number {
  return Math.max(1, Math.floor((end - start) / step) + 1);
}
