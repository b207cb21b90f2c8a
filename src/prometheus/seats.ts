/** Most policies whose signals are asked for by one query. */
export const SEATS_PER_ROW = 500;

/** A place among those who are asked together. */
export interface Seat {
  /** Equal for all who sit in one row. */
  readonly row: string;
  /** To be called once for each time that it was taken. */
  leave(): void;
}

interface Taken {
  readonly kind: string;
  readonly row: number;
  times: number;
}

/**
 * Rows of seats by kind. A newcomer gets the first free seat, and nobody is moved as long as he stays, so a new policy
 * changes no query but the one that it joins. Who takes a seat again, of whatever kind, gets the one that he has.
 */
export class Seats {
  /** How many sit in each row of a kind. */
  readonly #rows = new Map<string, number[]>();
  readonly #taken = new Map<string, Taken>();

  /** Seats that are taken. */
  get size(): number {
    return this.#taken.size;
  }

  take(owner: string, kind: string): Seat {
    const taken = this.#taken.get(owner) ?? this.#sit(owner, kind);
    taken.times += 1;
    let left = false;
    return {
      row: `${taken.kind} ${taken.row}`,
      leave: () => {
        if (left) return;
        left = true;
        taken.times -= 1;
        if (taken.times === 0) this.#rise(owner, taken);
      },
    };
  }

  #sit(owner: string, kind: string): Taken {
    const rows = this.#rows.get(kind) ?? [];
    this.#rows.set(kind, rows);
    const free = rows.findIndex((count) => count < SEATS_PER_ROW);
    const row = free === -1 ? rows.length : free;
    rows[row] = (rows[row] ?? 0) + 1;
    const taken = { kind, row, times: 0 };
    this.#taken.set(owner, taken);
    return taken;
  }

  #rise(owner: string, { kind, row }: Taken): void {
    this.#taken.delete(owner);
    const rows = this.#rows.get(kind) ?? [];
    rows[row] = (rows[row] ?? 1) - 1;
    if (rows.every((count) => count === 0)) this.#rows.delete(kind);
  }
}
