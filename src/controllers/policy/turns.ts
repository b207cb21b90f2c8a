/** Lets a limited number do something at the same time; who came first goes first. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** The result of the work once it has had its turn; undefined, and nothing done, when `patience` aborts before. */
  async take<T>(work: () => Promise<T>, patience: AbortSignal): Promise<T | undefined> {
    if (!(await this.#enter(patience))) return undefined;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(patience: AbortSignal): Promise<boolean> {
    if (patience.aborted) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        resolve(false);
      };
      const enter = () => {
        patience.removeEventListener("abort", onAbort);
        resolve(true);
      };
      this.#waiting.push(enter);
      patience.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** A turn goes to the next one without becoming free in between, so that nobody can push in. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
