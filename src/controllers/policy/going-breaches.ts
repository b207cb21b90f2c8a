import type { RowEvaluation } from "../../decision/matrix.ts";

/** Breaches of all targets that go on now, to see when many begin together. */
export class GoingBreaches {
  /** First onset by policy key, ms since the epoch. */
  readonly #onsets = new Map<string, number>();

  /** What the newest tick of a policy says: the first onset among its rows that would act and breach now. */
  note(policy: string, evaluations: readonly RowEvaluation[]): void {
    const onsets = evaluations.flatMap(({ row, window: { run, onset } }) =>
      (row.action === "Rollback" || row.action === "Propose") && run !== undefined && onset !== undefined
        ? [onset]
        : [],
    );
    if (onsets.length === 0) this.#onsets.delete(policy);
    else this.#onsets.set(policy, Math.min(...onsets));
  }

  forget(policy: string): void {
    this.#onsets.delete(policy);
  }

  /** Onsets of the others, ms since the epoch. */
  besides(policy: string): readonly number[] {
    return [...this.#onsets].flatMap(([key, onset]) => (key === policy ? [] : [onset]));
  }
}
