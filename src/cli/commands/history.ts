import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { isForbidden } from "../../kube/errors.ts";
import { ROLLBACK_LEDGERS, ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import type { Session } from "../session.ts";
import { endsOf, type WorkloadName } from "../request/wording.ts";

/** One rollback that changed something; what `-o json` prints. */
export interface HistoryEntry {
  /** RFC 3339, whole seconds: when it ended, or when it began if the end was not recorded. */
  readonly at: string;
  readonly object: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly request: string;
  readonly outcome: string;
}

/** What was rolled back in a namespace, oldest first, one line each as a runbook has them. */
export async function history(
  { session, output, format }: CommandContext,
  workload: WorkloadName | undefined,
): Promise<ExitCode> {
  const { client, namespace, signal } = session;
  const [requests, ledgers] = await Promise.all([
    client.list(ROLLBACK_REQUESTS, { namespace, signal }),
    ledgersOf(session),
  ]);
  const entries = historyOf(requests.items, ledgers).filter(
    ({ object }) => workload === undefined || object === objectOf(namespace, workload),
  );
  if (isForPrograms(format)) {
    const names = entries.map(({ request }) => request).join("\n");
    if (format === "name") output.lines(entries.map(({ request }) => request));
    else await printObject(output, format, entries, names);
  } else if (entries.length === 0) {
    output.note(`nothing was rolled back in namespace ${namespace} as far as it is recorded`);
  } else output.lines(entries.map(lineOf));
  return EXIT.Ok;
}

/** Requests may be deleted; ledgers remember longer. Who may not read them sees the requests only. */
async function ledgersOf({ client, namespace, signal }: Session): Promise<readonly RollbackLedgerSpec[]> {
  try {
    const { items } = await client.list(ROLLBACK_LEDGERS, { namespace, signal });
    return items.map(({ spec }) => spec);
  } catch (error) {
    if (isForbidden(error)) return [];
    throw error;
  }
}

/** Oldest first. Pure. */
export function historyOf(
  requests: readonly RollbackRequest[],
  ledgers: readonly RollbackLedgerSpec[],
): readonly HistoryEntry[] {
  const kept = new Set(requests.map(({ metadata }) => metadata.uid));
  const remembered = ledgers.flatMap((ledger) => entriesOfLedger(ledger, kept));
  return [...requests.flatMap(entryOf), ...remembered].sort((a, b) => (a.at < b.at ? -1 : 1));
}

/** Only what was stored in the cluster is history: refusals and dry runs changed nothing. */
function entryOf(request: RollbackRequest): readonly HistoryEntry[] {
  const { status, metadata } = request;
  return (status?.steps ?? []).flatMap((step, index): HistoryEntry[] => {
    const planned = status?.plan?.steps[index];
    if (step.appliedAt === undefined || planned?.from === undefined || planned.to === undefined) return [];
    const [from, to] = endsOf(planned.from, planned.to);
    const [kind = "", name = ""] = planned.object.split("/");
    const object = objectOf(metadata.namespace ?? "", { kind, name });
    const at = wholeSeconds(step.finishedAt ?? step.appliedAt);
    const outcome = status?.phase ?? "";
    return [{ at, object, from, to, reason: reasonOf(request), request: metadata.name, outcome }];
  });
}

/** `shop/web`; kinds other than Deployment are named. */
function objectOf(
  namespace: string,
  { kind, name }: { readonly kind: string; readonly name: string },
): string {
  return kind === "Deployment" ? `${namespace}/${name}` : `${namespace}/${kind}/${name}`;
}

function reasonOf({ spec, status }: RollbackRequest): string {
  return spec.reason === "" ? (status?.trigger?.sentence ?? "") : spec.reason;
}

function entriesOfLedger(ledger: RollbackLedgerSpec, kept: ReadonlySet<string>): readonly HistoryEntry[] {
  const { target, executed, marks, releases } = ledger;
  return executed
    .filter(({ uid }) => !kept.has(uid))
    .map(({ name, at, outcome, reason = "" }) => {
      const mark = marks.findLast(({ request }) => request === name);
      const product = releases.findLast(({ rollbackBy }) => rollbackBy === name);
      return {
        at: wholeSeconds(at),
        object: objectOf(target.namespace, target),
        from: mark === undefined ? "?" : `revision ${mark.revision}`,
        to: product === undefined ? "?" : `revision ${product.revision}`,
        reason: mark?.reason ?? reason,
        request: name,
        outcome,
      };
    });
}

function lineOf({ at, object, from, to, reason, outcome }: HistoryEntry): string {
  // A line of the runbook means "done"; what did not end well says so.
  const ending = outcome === "Succeeded" ? [] : [outcome];
  return [at, "ROLLBACK", object, `${from} -> ${to}`, reason, ...ending].join(" | ");
}

function wholeSeconds(at: string): string {
  return at.replace(/\.\d+Z$/, "Z");
}
