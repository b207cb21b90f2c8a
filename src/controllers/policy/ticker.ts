import { linkAbort } from "../../kube/abort.ts";
import type { Clock, Timer } from "../../kube/clock.ts";
import { newestInstant, untilNext, type Grid } from "./schedule.ts";

/** Policies that come within this time share their first evaluation, so that a start asks few questions, ms. */
const GATHER_MS = 200;

/** An evaluation waits for its servers' timeouts at most; one that takes longer is given up, ms. */
const LONGEST_MS = 60_000;

/** Evaluations that share one abort signal: taking a listener off one that has thousands is slow. */
const EVALUATIONS_A_SIGNAL = 64;

export interface TickerOptions<T> {
  readonly clock: Pick<Clock, "now" | "setTimer">;
  /** One evaluation at an instant of the grid (ms since the epoch). */
  readonly evaluate: (subject: T, at: number, signal: AbortSignal) => Promise<void>;
  /** An evaluation threw. */
  readonly onError: (key: string, error: unknown) => void;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

interface Member<T> {
  readonly key: string;
  readonly subject: T;
  readonly beat: Beat<T>;
  /** The instant of its newest evaluation, also of one that is under way. */
  at: number | undefined;
  busy: boolean;
}

/** Everybody who is evaluated at the same instants. */
interface Beat<T> {
  readonly grid: Grid;
  readonly members: Set<Member<T>>;
  /** Of these the ones that came since the last instant and were not evaluated yet. */
  fresh: Set<Member<T>>;
  next: Timer | undefined;
  gathering: Timer | undefined;
}

/**
 * Evaluates subjects at the instants of their grids. All of one grid begin in the same turn of the event loop, so that
 * who asks the same question can ask it together; nobody waits for anybody: who is still busy at its next instant, as
 * behind a server that does not answer, leaves that instant out.
 */
export class Ticker<T extends object> {
  readonly #options: TickerOptions<T>;
  readonly #members = new Map<string, Member<T>>();
  readonly #beats = new Map<string, Beat<T>>();

  constructor(options: TickerOptions<T>) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.#stop(), { once: true });
  }

  /**
   * From now on at every instant of the grid; for the newest instant at once. The same subject again changes nothing:
   * a subject keeps its grid.
   */
  set(key: string, grid: Grid, subject: T): void {
    if (this.#options.signal.aborted || this.#members.get(key)?.subject === subject) return;
    this.remove(key);
    const beat = this.#beatOf(grid);
    const member: Member<T> = { key, subject, beat, at: undefined, busy: false };
    this.#members.set(key, member);
    beat.members.add(member);
    beat.fresh.add(member);
    beat.gathering ??= this.#options.clock.setTimer(GATHER_MS, () => this.#begin(beat));
  }

  remove(key: string): void {
    const member = this.#members.get(key);
    if (member === undefined) return;
    const { beat } = member;
    this.#members.delete(key);
    beat.members.delete(member);
    beat.fresh.delete(member);
    if (beat.members.size > 0) return;
    beat.next?.cancel();
    beat.gathering?.cancel();
    this.#beats.delete(nameOf(beat.grid));
  }

  get size(): number {
    return this.#members.size;
  }

  #beatOf(grid: Grid): Beat<T> {
    const name = nameOf(grid);
    const known = this.#beats.get(name);
    if (known !== undefined) return known;
    const beat: Beat<T> = {
      grid,
      members: new Set(),
      fresh: new Set(),
      next: undefined,
      gathering: undefined,
    };
    this.#beats.set(name, beat);
    this.#arm(beat);
    return beat;
  }

  #arm(beat: Beat<T>): void {
    const { clock } = this.#options;
    beat.next = clock.setTimer(untilNext(beat.grid, clock.now()), () => {
      this.#arm(beat);
      beat.fresh = new Set();
      this.#evaluate([...beat.members], newestInstant(beat.grid, clock.now()));
    });
  }

  #begin(beat: Beat<T>): void {
    beat.gathering = undefined;
    const fresh = [...beat.fresh];
    beat.fresh = new Set();
    this.#evaluate(fresh, newestInstant(beat.grid, this.#options.clock.now()));
  }

  #evaluate(members: readonly Member<T>[], at: number): void {
    // A timer may come a moment early by the wall clock: the same instant again is none.
    const due = members.filter((member) => !member.busy && member.at !== at);
    for (let start = 0; start < due.length; start += EVALUATIONS_A_SIGNAL) {
      void this.#evaluateSome(due.slice(start, start + EVALUATIONS_A_SIGNAL), at);
    }
  }

  async #evaluateSome(members: readonly Member<T>[], at: number): Promise<void> {
    const { clock, signal } = this.#options;
    const link = linkAbort(signal);
    const limit = clock.setTimer(LONGEST_MS, () =>
      link.abort(new Error(`the evaluation did not end within ${LONGEST_MS / 1_000} s`)),
    );
    try {
      await Promise.all(members.map((member) => this.#evaluateOne(member, at, link.signal)));
    } finally {
      limit.cancel();
      link.unlink();
    }
  }

  async #evaluateOne(member: Member<T>, at: number, signal: AbortSignal): Promise<void> {
    member.busy = true;
    member.at = at;
    try {
      await this.#options.evaluate(member.subject, at, signal);
    } catch (error) {
      if (!this.#options.signal.aborted) this.#options.onError(member.key, error);
    } finally {
      member.busy = false;
    }
  }

  #stop(): void {
    for (const { next, gathering } of this.#beats.values()) {
      next?.cancel();
      gathering?.cancel();
    }
    this.#beats.clear();
    this.#members.clear();
  }
}

function nameOf({ intervalMs, offsetMs }: Grid): string {
  return `${intervalMs}/${offsetMs}`;
}
