import type { LedgerContent, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";

/** Bound of the list, as the schema has it. */
const MAX_ENTRIES = 50;

/** The content that a ConfigMap is seen to hold; what it held before stays, in order. */
export function recordContent(ledger: RollbackLedgerSpec, entry: LedgerContent): RollbackLedgerSpec {
  const { contents = [] } = ledger;
  if (contents.at(-1)?.digest === entry.digest) return ledger;
  return { ...ledger, contents: [...contents, entry].slice(-MAX_ENTRIES) };
}

export interface ContentRollback {
  readonly from: string;
  readonly to: string;
  /** RFC 3339. */
  readonly at: string;
  readonly request: string;
}

/**
 * Records what a request put in place, and marks what it took away. The way back of an earlier rollback marks nothing:
 * what it takes away is the good content. Safe to repeat.
 */
export function recordContentRollback(
  ledger: RollbackLedgerSpec,
  { from, to, at, request }: ContentRollback,
): RollbackLedgerSpec {
  const { contents = [] } = ledger;
  if (contents.some(({ productOf, digest }) => productOf === request && digest === to)) return ledger;
  const known = contents.at(-1)?.digest === from ? contents : [...contents, { digest: from, since: at }];
  const left = known.at(-1);
  const isWayBack = known.some(
    ({ digest, rolledBackBy }) =>
      digest === to && rolledBackBy !== undefined && rolledBackBy === left?.productOf,
  );
  const marked =
    left === undefined || isWayBack
      ? known
      : known.with(known.length - 1, { ...left, rolledBackBy: request });
  return {
    ...ledger,
    contents: [...marked, { digest: to, since: at, productOf: request }].slice(-MAX_ENTRIES),
  };
}

/** The live content baked; a mark from an earlier life of it is cleared. */
export function recordContentGood(
  ledger: RollbackLedgerSpec,
  digest: string,
  knownGood: string,
): RollbackLedgerSpec {
  const { contents = [] } = ledger;
  const live = contents.at(-1);
  if (live?.digest !== digest || live.knownGood !== undefined) return ledger;
  const unmarked = contents.map((entry) => {
    const { rolledBackBy: _, ...others } = entry;
    return entry.digest === digest ? others : entry;
  });
  return {
    ...ledger,
    contents: unmarked.with(unmarked.length - 1, {
      ...unmarked.at(-1),
      digest,
      since: live.since,
      knownGood,
    }),
  };
}

/** Without these contents, whose snapshots are deleted; the newest entry, which is live, stays. */
export function forgetContents(ledger: RollbackLedgerSpec, digests: ReadonlySet<string>): RollbackLedgerSpec {
  const { contents = [] } = ledger;
  const kept = contents.filter(({ digest }, index) => index === contents.length - 1 || !digests.has(digest));
  return kept.length === contents.length ? ledger : { ...ledger, contents: kept };
}

/**
 * Contents that are too many, the oldest first: beyond `most` different ones. The live one, the newest known good one and
 * those in `used` are never among them.
 */
export function surplusContents(
  contents: readonly LedgerContent[],
  most: number,
  used: ReadonlySet<string>,
): readonly string[] {
  // Each by its last appearance.
  const distinct = [...new Set(contents.map(({ digest }) => digest).toReversed())].toReversed();
  const good = contents.findLast(({ knownGood }) => knownGood !== undefined)?.digest;
  const live = contents.at(-1)?.digest;
  return distinct
    .slice(0, Math.max(0, distinct.length - most))
    .filter((digest) => digest !== good && digest !== live && !used.has(digest));
}
