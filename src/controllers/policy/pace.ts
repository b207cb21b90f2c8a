import type { Clock } from "../../kube/clock.ts";

/** Work without a pause for the rest of the process is at most about this long, ms. */
const LONGEST_MS = 10;

/**
 * Lets others come in between: thousands of short pieces of work that wait for nothing would otherwise run as one, and
 * meanwhile no answer is read and no lease renewed.
 */
export class Pace {
  readonly #clock: Pick<Clock, "monotonic">;
  #since: number | undefined;
  #pause: Promise<void> | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** To be awaited before each piece of work. */
  async next(): Promise<void> {
    while (this.#pause !== undefined) await this.#pause;
    const now = this.#clock.monotonic();
    this.#since ??= now;
    if (now - this.#since < LONGEST_MS) return;
    this.#pause = new Promise((resolve) =>
      setImmediate(() => {
        this.#since = undefined;
        this.#pause = undefined;
        resolve();
      }),
    );
    await this.#pause;
  }
}
