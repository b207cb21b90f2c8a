import { chooseRevision } from "../../actions/workload/choose.ts";
import { readLedger } from "../../controllers/ledger/ledger.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { isForbidden } from "../../kube/errors.ts";
import { groupOf } from "../../kube/objects.ts";
import { readWorkload, type Workload } from "../../workloads/read-workload.ts";
import { liveRevisionOf, stableRevision } from "../../workloads/live-revision.ts";
import { imagesOf, type Revision } from "../../workloads/revisions.ts";
import { WORKLOAD_TYPES, workloadTitle } from "../../workloads/workload.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { ageOf } from "../output/age.ts";
import type { Colours } from "../output/colours.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { table } from "../output/table.ts";
import type { WorkloadName } from "../request/wording.ts";
import type { Session } from "../session.ts";

/** A revision with all that is known about it; what `-o json` prints. */
export interface RevisionRow {
  readonly revision: number;
  readonly live: boolean;
  /** The strategies of `undo --to` that would choose it now. */
  readonly chosenBy: readonly ("last-known-good" | "previous")[];
  /** RFC 3339. */
  readonly knownGoodSince?: string;
  readonly rolledBackBy?: string;
  readonly rolledBackBecause?: string;
  readonly images: readonly string[];
  readonly createdAt: string;
  readonly replicaSet: string;
  readonly podTemplateHash: string;
  readonly changeCause?: string;
}

/** The history of a workload: what each revision is known for, and where an undo would go. */
export async function revisions(
  { session, output, format }: CommandContext,
  target: WorkloadName,
): Promise<ExitCode> {
  const { client, namespace, signal, clock } = session;
  const type = WORKLOAD_TYPES[target.kind];
  const [workload, ledger] = await Promise.all([
    readWorkload(client, { namespace, ...target }, signal),
    ledgerOf(session, target),
  ]);
  if (workload === undefined) {
    throw new CliError(
      `${target.kind} ${target.name} does not exist in namespace ${namespace}: "kubectl get ${type.plural}${session.namespaceFlag}" lists them`,
    );
  }
  if (ledger === "Unreadable") output.note("no right to read RollbackLedgers: known good is not shown");
  const rows = rowsOf(workload, ledger === "Unreadable" ? undefined : ledger);
  if (isForPrograms(format)) {
    await printObject(
      output,
      format,
      { target: workloadTitle(target), namespace, revisions: rows },
      `${target.kind.toLowerCase()}.${groupOf(type)}/${target.name}`,
    );
    return EXIT.Ok;
  }
  const isWide = format === "wide";
  const headers = ["revision", "live", "undo --to", "known-good", "rolled-back-by", "age", "images"];
  const wide = isWide ? ["replicaset", "change-cause"] : [];
  const cells = rows.map((row) => cellsOf(row, clock.now(), output.colours, isWide));
  output.lines(table([...headers, ...wide], cells));
  return EXIT.Ok;
}

async function ledgerOf(
  { client, namespace, signal }: Session,
  target: WorkloadName,
): Promise<RollbackLedgerSpec | "Unreadable" | undefined> {
  try {
    return (
      await readLedger(client, { group: groupOf(WORKLOAD_TYPES[target.kind]), namespace, ...target }, signal)
    )?.spec;
  } catch (error) {
    if (isForbidden(error)) return "Unreadable";
    throw error;
  }
}

/** Newest first. Pure. */
export function rowsOf(workload: Workload, ledger: RollbackLedgerSpec | undefined): readonly RevisionRow[] {
  const { revisions } = workload;
  const live = liveRevisionOf(workload);
  const chosen = live === undefined ? () => [] : choicesOf(workload, live, ledger);
  return revisions.map((revision) => {
    const { uid, podTemplateHash, changeCause } = revision;
    const good = ledger?.knownGood.findLast(
      (each) => each.replicaSetUid === uid && each.podTemplateHash === podTemplateHash,
    );
    const mark = ledger?.marks.findLast(({ replicaSetUid }) => replicaSetUid === uid);
    return {
      revision: revision.revision,
      live: uid === live?.uid,
      chosenBy: chosen(uid),
      ...(good === undefined ? {} : { knownGoodSince: good.since }),
      ...(mark === undefined ? {} : { rolledBackBy: mark.request, rolledBackBecause: mark.reason }),
      images: imagesOf(revision.template),
      createdAt: revision.createdAt,
      replicaSet: revision.name,
      podTemplateHash,
      ...(changeCause === undefined ? {} : { changeCause }),
    };
  });
}

/** Asks the operator's own rule, so that this table cannot promise another revision than an undo takes. */
function choicesOf(
  workload: Workload,
  live: Revision,
  ledger: RollbackLedgerSpec | undefined,
): (uid: string) => RevisionRow["chosenBy"] {
  const { object, revisions } = workload;
  const uidBy = (strategy: "LastKnownGood" | "Previous") => {
    const choice = chooseRevision({
      to: { strategy },
      revisions,
      live,
      ledger,
      revisionHistoryLimit: object.spec.revisionHistoryLimit ?? 10,
      automatic: false,
      stable: stableRevision(workload, live),
    });
    return choice.kind === "Chosen" ? choice.revision.uid : undefined;
  };
  const chosen = [
    ["last-known-good", uidBy("LastKnownGood")],
    ["previous", uidBy("Previous")],
  ] as const;
  return (uid) => chosen.flatMap(([name, of]) => (of === uid ? [name] : []));
}

function cellsOf(row: RevisionRow, now: number, colours: Colours, isWide: boolean): readonly string[] {
  return [
    String(row.revision),
    row.live ? "live" : "",
    row.chosenBy.join(","),
    row.knownGoodSince === undefined ? "" : colours.good(ageOf(row.knownGoodSince, now)),
    row.rolledBackBy === undefined ? "" : colours.bad(row.rolledBackBy),
    ageOf(row.createdAt, now),
    row.images.join(","),
    ...(isWide ? [row.replicaSet, row.changeCause ?? ""] : []),
  ];
}
