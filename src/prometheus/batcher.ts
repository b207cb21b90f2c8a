/** Answers one member of a batch as soon as its answer is known. */
export type Deliver<M, R> = (member: M, result: R) => void;

export interface BatcherOptions<K, M, R> {
  /** Has to deliver a result for each of the members; may deliver others too, who perhaps ask later. */
  ask(key: K, members: readonly M[], deliver: Deliver<M, R>, signal: AbortSignal): Promise<void>;
  /** Equal for keys that can be asked for together. */
  keyText(key: K): string;
  /** Most members of one batch. */
  most(key: K): number;
}

interface Waiter<R> {
  readonly resolve: (result: R) => void;
  readonly reject: (reason: unknown) => void;
}

interface Batch<K, M, R> {
  readonly key: K;
  readonly waiters: Map<M, Set<Waiter<R>>>;
}

/**
 * Collects who asks for the same thing while nothing, or something else, is under way, and asks for all of them at once;
 * never for two things at the same time. What nobody waits for any more is given up.
 */
export class Batcher<K, M, R> {
  readonly #options: BatcherOptions<K, M, R>;
  /** In the order in which they were asked for first. */
  readonly #waiting = new Map<string, Batch<K, M, R>>();
  #running: (Batch<K, M, R> & { readonly abort: AbortController }) | undefined;
  #isWorking = false;

  constructor(options: BatcherOptions<K, M, R>) {
    this.#options = options;
  }

  /** Rejects when `signal` aborts, and with what `ask` throws. */
  read(key: K, member: M, signal: AbortSignal): Promise<R> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const text = this.#options.keyText(key);
    const joins = this.#running !== undefined && this.#options.keyText(this.#running.key) === text;
    const batch = (joins ? this.#running : this.#waiting.get(text)) ?? { key, waiters: new Map() };
    if (!joins) this.#waiting.set(text, batch);
    return new Promise((resolve, reject) => {
      const waiters = batch.waiters.get(member) ?? new Set();
      batch.waiters.set(member, waiters);
      const onAbort = () => {
        this.#giveUp(member, waiter);
        reject(signal.reason as Error);
      };
      const settled = () => signal.removeEventListener("abort", onAbort);
      const waiter: Waiter<R> = {
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (reason) => {
          settled();
          reject(reason);
        },
      };
      waiters.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    // Everybody who asks in this turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve));
    for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#run(next);
    this.#isWorking = false;
  }

  #next(): Batch<K, M, R> | undefined {
    for (const [text, batch] of this.#waiting) {
      this.#waiting.delete(text);
      const members = [...batch.waiters];
      const most = Math.max(1, this.#options.most(batch.key));
      if (members.length === 0) continue;
      if (members.length > most) {
        this.#waiting.set(text, { key: batch.key, waiters: new Map(members.slice(most)) });
      }
      return { key: batch.key, waiters: new Map(members.slice(0, most)) };
    }
    return undefined;
  }

  async #run({ key, waiters }: Batch<K, M, R>): Promise<void> {
    const abort = new AbortController();
    const members = [...waiters.keys()];
    /** Of those who were there at the beginning; who asks again afterwards waits for the next batch. */
    const open = new Set(members);
    this.#running = { key, waiters, abort };
    const take = (member: M) => {
      const taken = waiters.get(member) ?? [];
      waiters.delete(member);
      open.delete(member);
      return taken;
    };
    const deliver: Deliver<M, R> = (member, result) => {
      for (const { resolve } of take(member)) resolve(result);
    };
    try {
      await this.#options.ask(key, members, deliver, abort.signal);
      abort.signal.throwIfAborted();
      if (open.size > 0) throw new Error("a batch ended without an answer for everybody");
    } catch (reason) {
      for (const member of open) {
        for (const { reject } of take(member)) reject(reason);
      }
    } finally {
      this.#running = undefined;
      this.#requeue(key, [...waiters]);
    }
  }

  #requeue(key: K, late: readonly (readonly [M, Set<Waiter<R>>])[]): void {
    if (late.length === 0) return;
    const text = this.#options.keyText(key);
    const batch = this.#waiting.get(text) ?? { key, waiters: new Map<M, Set<Waiter<R>>>() };
    this.#waiting.set(text, batch);
    for (const [member, waiters] of late) {
      batch.waiters.set(member, new Set([...(batch.waiters.get(member) ?? []), ...waiters]));
    }
  }

  #giveUp(member: M, waiter: Waiter<R>): void {
    const drop = ({ waiters }: Batch<K, M, R>) => {
      const own = waiters.get(member);
      const found = own?.delete(waiter) === true;
      if (own?.size === 0) waiters.delete(member);
      return found;
    };
    const running = this.#running;
    if (running !== undefined && drop(running)) {
      if (running.waiters.size === 0) running.abort.abort();
      return;
    }
    for (const batch of this.#waiting.values()) {
      if (drop(batch)) return;
    }
  }
}
