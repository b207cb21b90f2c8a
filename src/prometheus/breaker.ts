/** The part of the clock that a breaker reads: ms that never go back. */
export interface MonotonicClock {
  monotonic(): number;
}

type State =
  | { readonly kind: "Closed"; readonly failures: number }
  | { readonly kind: "Open"; readonly until: number }
  | { readonly kind: "HalfOpen" };

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly threshold: number;
  readonly openMs: number;
}

/**
 * A circuit breaker: closed until `threshold` failures in a row, then open for `openMs`, then one call is let through
 * as a probe and decides. Written here because its clock has to be the caller's.
 */
export class Breaker {
  readonly #clock: MonotonicClock;
  readonly #options: BreakerOptions;
  #state: State = { kind: "Closed", failures: 0 };

  constructor(clock: MonotonicClock, options: BreakerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** True when a call may be made; it must be followed by exactly one `succeeded`, `failed` or `abandoned`. */
  tryAcquire(): boolean {
    switch (this.#state.kind) {
      case "Closed":
        return true;
      case "HalfOpen":
        return false;
      case "Open":
        if (this.#clock.monotonic() < this.#state.until) {
          return false;
        }
        this.#state = { kind: "HalfOpen" };
        return true;
    }
  }

  succeeded(): void {
    this.#state = { kind: "Closed", failures: 0 };
  }

  failed(): void {
    const failures = this.#state.kind === "Closed" ? this.#state.failures + 1 : this.#options.threshold;
    this.#state =
      failures >= this.#options.threshold
        ? { kind: "Open", until: this.#clock.monotonic() + this.#options.openMs }
        : { kind: "Closed", failures };
  }

  /** The caller gave up: says nothing about the server. A probe that was given up may be made again at once. */
  abandoned(): void {
    if (this.#state.kind === "HalfOpen") {
      this.#state = { kind: "Open", until: this.#clock.monotonic() };
    }
  }
}
