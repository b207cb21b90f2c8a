import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { actedAt } from "../ledger/automatic.ts";
import { keyOf } from "../../kube/objects.ts";
import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";

/** As long as the longest span that is counted over all targets, ms. */
const KEEP_MS = 600_000;

/**
 * Automatic rollbacks of the whole cluster: those in the cached ledgers, and those that this process has just decided,
 * which the cache may not show yet. Deciding and reserving in one turn of the event loop keeps the limit exact.
 */
export class RecentRollbacks {
  readonly #ledgers: Pick<Store<RollbackLedger>, "list" | "onChange">;
  readonly #now: () => number;
  /** Instants by request name, ms since the epoch. */
  readonly #reserved = new Map<string, number>();
  /**
   * The same of each ledger that holds any: among ten thousand ledgers few do, and a thousand breaches at once ask a
   * thousand times.
   */
  readonly #recorded = new Map<string, ReadonlyMap<string, number>>();

  constructor(ledgers: Pick<Store<RollbackLedger>, "list" | "onChange">, now: () => number) {
    this.#ledgers = ledgers;
    this.#now = now;
  }

  /** Follows the ledgers; returns how to stop. */
  follow(): () => void {
    for (const ledger of this.#ledgers.list()) this.#take(ledger);
    return this.#ledgers.onChange(({ type, object }) => {
      if (type === "deleted") this.#recorded.delete(keyOf(object));
      else this.#take(object);
    });
  }

  /** Instants of about the last ten minutes, ms since the epoch; each rollback once. */
  times(): readonly number[] {
    const oldest = this.#now() - KEEP_MS;
    const times = new Map(this.#reserved);
    for (const [key, entries] of this.#recorded) {
      const newest = Math.max(...entries.values());
      if (newest < oldest) this.#recorded.delete(key);
      else for (const [request, at] of entries) times.set(request, at);
    }
    return [...times.values()];
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

  #take(ledger: RollbackLedger): void {
    const entries = recentlyActed(ledger.spec, this.#now());
    if (entries.length === 0) this.#recorded.delete(keyOf(ledger));
    else this.#recorded.set(keyOf(ledger), new Map(entries));
  }
}

/** Automatic rollbacks that a ledger has of about the last ten minutes: request and instant (ms since the epoch). */
export function recentlyActed(
  ledger: RollbackLedgerSpec,
  now: number,
): readonly (readonly [request: string, at: number])[] {
  return (
    ledger.automatic
      // A proposal counts once it runs.
      .filter(({ action, uid }) => action !== "Propose" || uid !== undefined)
      .map((entry) => [entry.request, actedAt(entry, ledger)] as const)
      .filter(([, at]) => at >= now - KEEP_MS)
  );
}
