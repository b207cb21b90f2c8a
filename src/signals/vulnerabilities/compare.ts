import type { Vulnerability } from "./scans.ts";

/** What an image of the live release has, of the severities that count. Times in ms since the epoch. */
export interface LiveScan {
  readonly scannedAt: number;
  readonly vulnerabilities: readonly Vulnerability[];
}

/** What an image of the rollback target has, of every severity, when it was scanned last. */
export interface TargetScan {
  readonly scannedAt: number;
  readonly ids: ReadonlySet<string>;
}

export interface Comparison {
  /** IDs that the target's images are known not to have. */
  readonly proven: readonly string[];
  /** IDs that they had not when they were scanned, but which nobody knew of by then. */
  readonly unproven: readonly string[];
}

/** A scanner's data knows of a vulnerability at the latest so long after its publication, ms. */
const FEED_LAG_MS = 86_400_000;
/** Two scans that are less apart know about the same: a report lives for a day, and is made anew within hours, ms. */
const SAME_FEED_MS = 26 * 3_600_000;

/**
 * IDs of the live images that the target's have not. By ID, never by count: an older image usually has more of them. Its
 * scan may be older too, so that a vulnerability found since is in the newer scan only, although both images have it.
 */
export function compareScans(live: readonly LiveScan[], target: readonly TargetScan[]): Comparison {
  const oldest = Math.min(...target.map(({ scannedAt }) => scannedAt));
  const proven = new Set<string>();
  const unproven = new Set<string>();
  for (const { scannedAt, vulnerabilities } of live) {
    for (const vulnerability of vulnerabilities) {
      if (target.some(({ ids }) => ids.has(vulnerability.id))) continue;
      const list = wasKnown(vulnerability, oldest, scannedAt) ? proven : unproven;
      list.add(vulnerability.id);
    }
  }
  return { proven: [...proven].sort(), unproven: [...unproven].filter((id) => !proven.has(id)).sort() };
}

/** Whether the scan of the target would have found it. */
function wasKnown({ publishedAt }: Vulnerability, targetScannedAt: number, liveScannedAt: number): boolean {
  if (targetScannedAt >= liveScannedAt) return true;
  if (publishedAt !== undefined) {
    if (publishedAt + FEED_LAG_MS <= targetScannedAt) return true;
    if (publishedAt > targetScannedAt) return false;
  }
  return liveScannedAt - targetScannedAt <= SAME_FEED_MS;
}
