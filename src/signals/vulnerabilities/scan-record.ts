import type { LedgerScan, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { allIds, wordsOf, type ReportFacts } from "./scans.ts";

/** Bounds of the list and of one entry, as the schema has them. */
export const MOST_SCANS = 16;
export const LONGEST_IDS = 49_152;

/** A scan of one container's image of one ReplicaSet. */
export interface Scan {
  readonly replicaSetUid: string;
  readonly container: string;
  readonly image: string;
  /** ms since the epoch, whole seconds. */
  readonly scannedAt: number;
  /** Of every severity; undefined where there were too many to keep. */
  readonly ids: string | undefined;
}

export function scanOf(replicaSetUid: string, report: ReportFacts): Scan {
  const ids = allIds(report);
  return {
    replicaSetUid,
    container: report.container,
    image: report.image.slice(0, 1_024),
    scannedAt: Math.floor(report.scannedAt / 1_000) * 1_000,
    ids: ids.length > LONGEST_IDS ? undefined : ids,
  };
}

/**
 * The ledger with these scans, the newest of each container; the very same ledger where it has them. When there are too
 * many, those of `kept` ReplicaSets are the last to go. Pure.
 */
export function recordScans(
  ledger: RollbackLedgerSpec,
  scans: readonly Scan[],
  kept: ReadonlySet<string>,
): RollbackLedgerSpec {
  const known = new Map(scansOf(ledger).map((scan) => [keyOf(scan), scan]));
  const news = scans.filter((scan) => {
    const old = known.get(keyOf(scan));
    return (
      old === undefined ||
      old.scannedAt < scan.scannedAt ||
      (old.scannedAt === scan.scannedAt && old.ids !== scan.ids)
    );
  });
  if (news.length === 0) return ledger;
  for (const scan of news) known.set(keyOf(scan), scan);
  const newestFirst = [...known.values()].toSorted(
    (a, b) =>
      Number(kept.has(b.replicaSetUid)) - Number(kept.has(a.replicaSetUid)) || b.scannedAt - a.scannedAt,
  );
  return { ...ledger, scans: newestFirst.slice(0, MOST_SCANS).map(toLedger) };
}

export function scansOf(ledger: Pick<RollbackLedgerSpec, "scans"> | undefined): readonly Scan[] {
  return (ledger?.scans ?? []).map(({ scannedAt, ids, ...scan }) => ({
    ...scan,
    scannedAt: Date.parse(scannedAt),
    ids,
  }));
}

export function idsOf(scan: Scan): ReadonlySet<string> | undefined {
  return scan.ids === undefined ? undefined : new Set(wordsOf(scan.ids));
}

function keyOf({ replicaSetUid, container }: Scan): string {
  return `${replicaSetUid}/${container}`;
}

function toLedger({ scannedAt, ids, ...scan }: Scan): LedgerScan {
  return {
    ...scan,
    scannedAt: new Date(scannedAt).toISOString().replace(/\.\d+Z$/, "Z"),
    ...(ids === undefined ? {} : { ids }),
  };
}
