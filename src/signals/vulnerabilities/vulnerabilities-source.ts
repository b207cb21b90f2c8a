import type { VulnerabilitySignal } from "../../crds/vulnerability-signal.ts";
import { NO_EVIDENCE } from "../../decision/attribution/evidence.ts";
import { WHOLE, type Sample, type TimedSample } from "../../decision/sample.ts";
import { errorMessage } from "../../kube/errors.ts";
import { watchedName, type LedgerMemory, type SignalTarget } from "../ledger-memory.ts";
import { releaseAt } from "../pods/past-releases.ts";
import type { PastReading, SignalSource, SignalSubject, SubjectRevision } from "../source.ts";
import { kindOfUnknown } from "../unknown.ts";
import { compareScans, type TargetScan } from "./compare.ts";
import type { ReportView } from "./report-watch.ts";
import { idsOf, recordScans, scanOf, scansOf, type Scan } from "./scan-record.ts";
import { vulnerabilitiesOf, type ReportFacts } from "./scans.ts";

export interface VulnerabilitiesSourceOptions {
  readonly spec: VulnerabilitySignal;
  readonly target: SignalTarget;
  readonly reports: { view(target: string): ReportView };
  readonly ledger: LedgerMemory;
  /** Names of the containers of a ReplicaSet's template; undefined when it is gone. Throws KubeError. */
  readonly containersOf: (
    namespace: string,
    replicaSet: SubjectRevision,
    signal: AbortSignal,
  ) => Promise<readonly string[] | undefined>;
  readonly onError: (error: unknown) => void;
}

/** IDs that a message names; the others are a number. */
const NAMED_IDS = 3;

/** How many vulnerabilities the live release has that the rollback target has not. */
export function vulnerabilitiesSource(options: VulnerabilitiesSourceOptions): SignalSource {
  const { spec, target, reports, ledger, containersOf, onError } = options;
  // Templates never change. By UID, of the two revisions that are looked at.
  let containers: ReadonlyMap<string, readonly string[]> = new Map();

  async function namesOf(revision: SubjectRevision, signal: AbortSignal): Promise<readonly string[]> {
    const known = containers.get(revision.replicaSetUid);
    if (known !== undefined) return known;
    const names = await containersOf(target.namespace, revision, signal);
    if (names === undefined) return [];
    containers = new Map([...[...containers].slice(-1), [revision.replicaSetUid, names]]);
    return names;
  }

  /** Keeps what the reports tell of these revisions, as far as that is news. */
  async function record(revisions: readonly SubjectRevision[], scans: readonly Scan[], signal: AbortSignal) {
    const kept = new Set(revisions.map(({ replicaSetUid }) => replicaSetUid));
    const known = ledger.get(target);
    if (known !== undefined && recordScans(known, scans, kept) === known) return;
    if (scans.length === 0) return;
    try {
      await ledger.change(target, (before) => recordScans(before, scans, kept), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      onError(error);
    }
  }

  async function read(subject: SignalSubject, signal: AbortSignal): Promise<Found> {
    const view = reports.view(watchedName(target));
    if (view.kind === "Unknown") {
      return none(kindOfUnknown(view.reason), `vulnerability reports are not known: ${view.message}`);
    }
    const { live, rollbackTarget } = subject;
    if (live === undefined) {
      return none("NoData", "the Deployment controller has not taken up the newest spec yet");
    }
    const revisions = rollbackTarget === undefined ? [live] : [live, rollbackTarget];
    const now = revisions.flatMap((revision) =>
      reportsOf(revision, view.reports).map((report) => scanOf(revision.replicaSetUid, report)),
    );
    await record(revisions, now, signal);
    const own = reportsOf(live, view.reports);
    const missing = (await namesOf(live, signal)).filter(
      (name) => !own.some(({ container }) => container === name),
    );
    if (own.length === 0 || missing.length > 0) {
      const which = missing.length === 0 ? "" : ` for container ${missing.join(", ")}`;
      return none("NoData", `no vulnerability report yet${which} of ReplicaSet ${live.name}`);
    }
    const severe = own.map((report) => ({
      scannedAt: report.scannedAt,
      vulnerabilities: vulnerabilitiesOf(report, spec.severity),
    }));
    const scannedAt = Math.max(...severe.map((scan) => scan.scannedAt));
    if (severe.every(({ vulnerabilities }) => vulnerabilities.length === 0)) {
      return { sample: { kind: "Value", value: 0 }, scannedAt };
    }
    if (rollbackTarget === undefined) {
      const note = "there is no revision to go back to, so none that could have fewer vulnerabilities";
      return { sample: { kind: "Value", value: 0, note }, scannedAt };
    }
    const scans = targetScans(rollbackTarget, await namesOf(rollbackTarget, signal), [
      ...scansOf(ledger.get(target)),
      ...now,
    ]);
    if (scans.kind === "Missing") {
      const ids = new Set(severe.flatMap(({ vulnerabilities }) => vulnerabilities.map(({ id }) => id)));
      const doubt = `what revision ${rollbackTarget.revision} has is not known (no scan of ${scans.what}), so nobody can tell what is new in revision ${live.revision}; the Trivy Operator scans older revisions too with scanOnlyCurrentRevisions: false`;
      return { sample: { kind: "Value", value: ids.size, note: doubt }, scannedAt, doubt };
    }
    return { ...judge(compareScans(severe, scans.scans), rollbackTarget), scannedAt };
  }

  let doubt: string | undefined;
  return {
    unit: "count",
    async read(at, subject, signal) {
      try {
        const found = await read(subject, signal);
        doubt = found.doubt;
        // A reading is late by as much as there was to do: what began since then was not there at that instant.
        return isBefore(at, subject.live) ? NOT_BEGUN : found.sample;
      } catch (error) {
        if (signal.aborted) throw error;
        return { kind: "Error", detail: errorMessage(error) };
      }
    },
    async readPast(start, end, stepMs, signal, subject): Promise<PastReading> {
      const { live, rollbackTarget } = subject;
      if (live === undefined || reports.view(watchedName(target)).kind === "Unknown")
        return { kind: "Failed" };
      let found: Found;
      try {
        found = await read(subject, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        return { kind: "Failed" };
      }
      const history = ledger.get(target);
      const samples: TimedSample[] = [];
      for (let at = start; at <= end; at += stepMs) {
        const release = releaseAt(at, live, history);
        samples.push({ at, sample: pastSample(found, release?.replicaSetUid, live, rollbackTarget, at) });
      }
      return { kind: "Read", parts: new Map([[WHOLE, samples]]) };
    },
    // What may not be new is no proof against the release: with it a row proposes instead of acting.
    evidence: async () => (doubt === undefined ? NO_EVIDENCE : { failed: doubt }),
  };
}

interface Found {
  readonly sample: Sample;
  /** Since when it is known, ms since the epoch. */
  readonly scannedAt: number | undefined;
  /** Why what the live release has may not be new: for a person to decide. */
  readonly doubt?: string;
}

const NOT_BEGUN: Sample = { kind: "NoData", detail: "the live release began after this instant" };

function isBefore(at: number, live: SignalSubject["live"]): boolean {
  return live?.startedAt !== undefined && at < live.startedAt;
}

function none(kind: Exclude<Sample["kind"], "Value">, detail: string): Found {
  return { sample: { kind, detail }, scannedAt: undefined };
}

function reportsOf({ name }: SubjectRevision, reports: readonly ReportFacts[]): readonly ReportFacts[] {
  return reports.filter(({ replicaSet }) => replicaSet === name);
}

/**
 * The newest scan of the image of each of the target's containers. The same digest is the same image, whichever revision
 * it was scanned for; the same tag is not.
 */
function targetScans(
  { replicaSetUid }: SubjectRevision,
  names: readonly string[],
  scans: readonly Scan[],
):
  | { readonly kind: "Known"; readonly scans: readonly TargetScan[] }
  | { readonly kind: "Missing"; readonly what: string } {
  const own = scans.filter((scan) => scan.replicaSetUid === replicaSetUid);
  const without = names.filter((name) => !own.some(({ container }) => container === name));
  if (own.length === 0 || without.length > 0) {
    return { kind: "Missing", what: without.length === 0 ? "its images" : `container ${without.join(", ")}` };
  }
  const found: TargetScan[] = [];
  for (const { image, container } of own) {
    const newest = scans
      .filter(
        (scan) =>
          scan.ids !== undefined &&
          scan.image === image &&
          (image.includes("@") || (scan.replicaSetUid === replicaSetUid && scan.container === container)),
      )
      .reduce<Scan | undefined>(
        (best, scan) => (best === undefined || scan.scannedAt > best.scannedAt ? scan : best),
        undefined,
      );
    const ids = newest === undefined ? undefined : idsOf(newest);
    if (newest === undefined || ids === undefined) {
      return { kind: "Missing", what: `container ${container} that could be kept` };
    }
    found.push({ scannedAt: newest.scannedAt, ids });
  }
  return { kind: "Known", scans: found };
}

function judge(
  { proven, unproven }: ReturnType<typeof compareScans>,
  { revision }: SubjectRevision,
): Pick<Found, "sample" | "doubt"> {
  if (proven.length > 0) {
    const note = `not in revision ${revision}: ${listOf(proven)}`;
    return { sample: { kind: "Value", value: proven.length, note } };
  }
  if (unproven.length === 0) return { sample: { kind: "Value", value: 0 } };
  const doubt = `${listOf(unproven)} became known after the last scan of revision ${revision}, which may have it too`;
  return { sample: { kind: "Value", value: unproven.length, note: doubt }, doubt };
}

function listOf(ids: readonly string[]): string {
  const named = ids.slice(0, NAMED_IDS).join(", ");
  return ids.length > NAMED_IDS ? `${named} and ${ids.length - NAMED_IDS} more` : named;
}

/**
 * While the rollback target was live, nothing was live that it has not. Since the live release was scanned, it is as it is
 * now. Between the two nobody knew.
 */
function pastSample(
  { sample, scannedAt }: Found,
  replicaSetUid: string | undefined,
  live: SubjectRevision,
  rollbackTarget: SubjectRevision | undefined,
  at: number,
): Sample {
  if (replicaSetUid !== undefined && replicaSetUid === rollbackTarget?.replicaSetUid) {
    return { kind: "Value", value: 0 };
  }
  if (replicaSetUid === live.replicaSetUid && scannedAt !== undefined && at >= scannedAt) return sample;
  return { kind: "NoData", detail: "not scanned yet then" };
}
