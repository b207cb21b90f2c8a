import { keyOf } from "../../kube/objects.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";

interface Allowed {
  /** ms since the epoch. */
  readonly until: number;
  /** Of the policy that was evaluated. */
  readonly generation: number | undefined;
  readonly plans: ReadonlySet<string>;
}

/**
 * By which plans of which policies a proposal may run now although nobody answered: this process has just evaluated that
 * the breach goes on, that the last release is its proven cause, and that no guard would hold a rollback. What is stored
 * in a status may be another process's, of another time: it allows nothing.
 */
export class UnaskedRuns {
  readonly #allowed = new Map<string, Allowed>();

  /** What the newest evaluation of a policy allows; it holds until `until`, ms since the epoch. */
  note(policy: RollbackPolicy, plans: ReadonlySet<string>, until: number): void {
    if (plans.size === 0) this.#allowed.delete(keyOf(policy));
    else this.#allowed.set(keyOf(policy), { until, generation: policy.metadata.generation, plans });
  }

  forget(key: string): void {
    this.#allowed.delete(key);
  }

  allows(policy: RollbackPolicy, plan: string, now: number): boolean {
    const allowed = this.#allowed.get(keyOf(policy));
    return (
      allowed !== undefined &&
      now < allowed.until &&
      allowed.generation === policy.metadata.generation &&
      allowed.plans.has(plan)
    );
  }
}
