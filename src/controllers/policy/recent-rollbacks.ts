import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";

/** As long as the longest span that is counted over all targets, ms. */
const KEEP_MS = 600_000;

/**
 * Automatic rollbacks of the whole cluster: those in the cached ledgers, and those that this process has just decided,
 * which the cache may not show yet. Deciding and reserving in one turn of the event loop keeps the limit exact.
 */
export class RecentRollbacks {
  readonly #ledgers: Pick<Store<RollbackLedger>, "list">;
  /** Instants by request name, ms since the epoch. */
  readonly #reserved = new Map<string, number>();

  constructor(ledgers: Pick<Store<RollbackLedger>, "list">) {
    this.#ledgers = ledgers;
  }

  /** Instants, ms since the epoch; each rollback once. */
  times(): readonly number[] {
    const recorded = this.#ledgers
      .list()
      .flatMap(({ spec }) => spec.automatic)
      // A proposal counts once it runs.
      .filter(({ action, uid }) => action !== "Propose" || uid !== undefined)
      .map(({ request, at }) => [request, Date.parse(at)] as const);
    return [...new Map([...this.#reserved, ...recorded]).values()];
  }

  reserve(request: string, at: number): void {
    for (const [name, time] of this.#reserved) {
      if (at - time >= KEEP_MS) this.#reserved.delete(name);
    }
    this.#reserved.set(request, at);
  }

  release(request: string): void {
    this.#reserved.delete(request);
  }
}
