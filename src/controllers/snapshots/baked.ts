import type { LedgerContent } from "../../crds/rollback-ledger.ts";
import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";

export type Baking =
  | { readonly kind: "Baked" }
  /** Not yet; at the earliest at this time, milliseconds since the epoch. */
  | { readonly kind: "NotBefore"; readonly at: number }
  /** Something must change first: the status of the policy. */
  | { readonly kind: "NotNow" };

/**
 * Whether the live content is known good: the policy's release is, and both the content has been live and every signal has
 * been Ok, with data, for as long as a release bakes. Pure; `bakeMs` in milliseconds.
 */
export function bakingOf(
  live: Pick<LedgerContent, "since">,
  status: RollbackPolicyStatus | undefined,
  bakeMs: number,
  now: number,
): Baking {
  const { signals = [], release, conditions = [] } = status ?? {};
  const isReady = conditions.some(({ type, status: is }) => type === "Ready" && is === "True");
  const allOk = signals.length > 0 && signals.every(({ state }) => state === "Ok");
  if (!isReady || !allOk || release?.knownGoodSince === undefined) return { kind: "NotNow" };
  const begins = [live, ...signals].map(({ since }) => Date.parse(since));
  const at = Math.max(...begins) + bakeMs;
  return now >= at ? { kind: "Baked" } : { kind: "NotBefore", at };
}
