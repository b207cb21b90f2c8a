import { liesWithQuestion, type PrometheusError } from "./answer.ts";
import type { Part } from "./divide.ts";

/** How long one who is to blame for a failed question is left alone, ms: doubled with every failure. */
const APART = { first: 30_000, longest: 600_000 };

interface Apart {
  readonly error: PrometheusError;
  readonly failures: number;
  /** Instant from which on it is asked again. */
  readonly from: number;
}

/**
 * Who of a group can be asked about by one query: all together, but who makes such a query fail stands apart, and an
 * answer that is too large for one query stays divided. Instants in ms.
 */
export class Cells<M> {
  /** The sets stay the same objects while members come and go, also while one is being asked about. */
  #together: readonly Set<M>[] = [];
  readonly #apart = new Map<M, Apart>();

  add(member: M): void {
    const [first, ...others] = this.#together;
    if (first === undefined) {
      this.#together = [new Set([member])];
      return;
    }
    const smallest = others.reduce((least, cell) => (cell.size < least.size ? cell : least), first);
    smallest.add(member);
  }

  remove(member: M): void {
    this.#apart.delete(member);
    for (const cell of this.#together) cell.delete(member);
    this.#together = this.#together.filter(({ size }) => size > 0);
  }

  together(): readonly ReadonlySet<M>[] {
    return this.#together;
  }

  /** Who stands apart, with the error that it is left alone with, or undefined when it is to be asked again. */
  apart(at: number): readonly (readonly [M, PrometheusError | undefined])[] {
    return [...this.#apart].map(([member, { error, from }]) => [member, at >= from ? undefined : error]);
  }

  /** What came of asking about (some of) a cell; who has left it meanwhile is not put back. */
  settle(cell: ReadonlySet<M>, parts: readonly Part<M, unknown>[], at: number): void {
    const own = this.#together.find((each) => each === cell);
    if (own === undefined || parts.length < 2 || parts.some(({ answer }) => isOutage(answer))) return;
    const take = (members: readonly M[]) => members.filter((member) => own.delete(member));
    const failed = parts.filter(({ answer }) => answer.kind === "Failed");
    const guilty = failed.filter(({ members }) => members.length === 1);
    for (const { members, answer } of guilty) {
      for (const member of take(members)) this.#setApart(member, answer, at);
    }
    // Whom nobody is to blame for: the answer is too large for one question.
    const divided = guilty.length === 0 ? parts.slice(1) : failed.filter(({ members }) => members.length > 1);
    this.#together = [...this.#together, ...divided.map(({ members }) => new Set(take(members)))].filter(
      ({ size }) => size > 0,
    );
  }

  /** What came of asking about one who stands apart. */
  settleApart(member: M, { answer }: Pick<Part<M, unknown>, "answer">, at: number): void {
    if (isOutage(answer) || !this.#apart.has(member)) return;
    if (answer.kind === "Failed") {
      this.#setApart(member, answer, at);
    } else {
      this.#apart.delete(member);
      this.add(member);
    }
  }

  #setApart(member: M, answer: Part<M, unknown>["answer"], at: number): void {
    if (answer.kind === "Ok") return;
    const failures = (this.#apart.get(member)?.failures ?? 0) + 1;
    const waitMs = Math.min(APART.longest, APART.first * 2 ** (failures - 1));
    this.#apart.set(member, { error: answer.error, failures, from: at + waitMs });
  }
}

function isOutage(answer: Part<unknown, unknown>["answer"]): boolean {
  return answer.kind === "Failed" && !liesWithQuestion(answer.error);
}
