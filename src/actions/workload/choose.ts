import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { WorkloadTo } from "../../crds/steps.ts";
import type { Revision } from "../../workloads/revisions.ts";
import { sameBesidesRestart } from "../../workloads/template.ts";

export type Choice =
  | { readonly kind: "Chosen"; readonly revision: Revision; readonly warnings: readonly string[] }
  | { readonly kind: "NothingToDo"; readonly message: string }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string };

export interface ChoiceInput {
  readonly to: WorkloadTo;
  /** Newest first. */
  readonly revisions: readonly Revision[];
  readonly live: Revision;
  readonly ledger: RollbackLedgerSpec | undefined;
  readonly revisionHistoryLimit: number;
  readonly automatic: boolean;
  /**
   * The fully promoted revision of a Rollout whose live one is on its way: where Argo Rollouts itself would go back to,
   * whatever else was tried in between.
   */
  readonly stable?: Revision | undefined;
}

/** Which revision to go back to. Pure; rules in api.md "Which revision". */
export function chooseRevision(input: ChoiceInput): Choice {
  if (input.to.revision !== undefined) return chooseNamed(input, input.to.revision);
  const product = withoutRestarts(input)
    .map((revision) => productOfRollback(revision, input.ledger))
    .find((request) => request !== undefined);
  if (product !== undefined) {
    return {
      kind: "NothingToDo",
      message: `already rolled back by ${product}; name a revision to go further`,
    };
  }
  const { stable } = input;
  if (stable !== undefined && markOf(stable, input.ledger) === undefined) {
    return { kind: "Chosen", revision: stable, warnings: skippedWarnings(input, stable) };
  }
  return input.to.strategy === "Previous" ? choosePrevious(input) : chooseLastKnownGood(input);
}

/** The live release, and those before it of which it is only a restart: a restart is no release. */
function withoutRestarts({ live, revisions }: ChoiceInput): readonly Revision[] {
  const older = revisions.filter(({ revision }) => revision < live.revision);
  const other = older.findIndex(({ template }) => !sameBesidesRestart(template, live.template));
  return [live, ...(other === -1 ? older : older.slice(0, other))];
}

/** The request whose product a release is, if any. */
function productOfRollback(
  { uid, revision }: Revision,
  ledger: RollbackLedgerSpec | undefined,
): string | undefined {
  return ledger?.releases.findLast(
    (release) => release.replicaSetUid === uid && release.revision === revision,
  )?.rollbackBy;
}

function chooseNamed(input: ChoiceInput, wanted: number): Choice {
  const found = input.revisions.find((revision) => revision.revision === wanted);
  if (found !== undefined) {
    if (found.uid === input.live.uid) {
      return { kind: "NothingToDo", message: `revision ${wanted} is live already` };
    }
    const mark = markOf(found, input.ledger);
    const warnings =
      mark === undefined
        ? []
        : [`revision ${wanted} was itself rolled back by ${mark.request}: ${mark.reason}`];
    return { kind: "Chosen", revision: found, warnings };
  }
  const renumbered = input.revisions.find((revision) => hadNumber(revision, wanted, input.ledger));
  if (renumbered?.uid === input.live.uid) {
    return {
      kind: "NothingToDo",
      message: `revision ${wanted} is live already, as revision ${renumbered.revision}`,
    };
  }
  if (renumbered !== undefined) {
    return refused(
      "RevisionNotFound",
      `revision ${wanted} is now revision ${renumbered.revision}, because it was deployed again; name revision ${renumbered.revision}`,
    );
  }
  const kept = input.revisions.map((revision) => revision.revision).toReversed();
  return refused(
    "RevisionNotFound",
    `revision ${wanted} is not in the history (kept: ${kept.join(", ")}; revisionHistoryLimit ${input.revisionHistoryLimit})`,
  );
}

/** ReplicaSets keep their former numbers; of ControllerRevisions only the ledger knows some. */
function hadNumber(revision: Revision, wanted: number, ledger: RollbackLedgerSpec | undefined): boolean {
  const recorded = [...(ledger?.releases ?? []), ...(ledger?.knownGood ?? []), ...(ledger?.marks ?? [])];
  return (
    revision.formerRevisions.includes(wanted) ||
    recorded.some((entry) => entry.replicaSetUid === revision.uid && entry.revision === wanted)
  );
}

function choosePrevious(input: ChoiceInput): Choice {
  const older = candidates(input);
  const first = older[0];
  if (first !== undefined)
    return { kind: "Chosen", revision: first, warnings: skippedWarnings(input, first) };
  return noOlderRevision(input);
}

function chooseLastKnownGood(input: ChoiceInput): Choice {
  const older = candidates(input);
  const good = older.find((revision) => isKnownGood(revision, input.ledger));
  if (good !== undefined) return { kind: "Chosen", revision: good, warnings: skippedWarnings(input, good) };
  if (input.automatic) {
    return refused(
      "NoKnownGoodRevision",
      "no older revision is known good, so nothing is rolled back automatically",
    );
  }
  const first = older[0];
  if (first === undefined) return noOlderRevision(input);
  return {
    kind: "Chosen",
    revision: first,
    warnings: [`no revision is recorded as known good; revision ${first.revision} is the newest older one`],
  };
}

/** Older revisions with another template that were not rolled back for cause, newest first. */
function candidates(input: ChoiceInput): readonly Revision[] {
  return input.revisions.filter(
    (revision) =>
      revision.revision < input.live.revision &&
      !sameBesidesRestart(revision.template, input.live.template) &&
      markOf(revision, input.ledger) === undefined,
  );
}

function skippedWarnings(input: ChoiceInput, chosen: Revision): readonly string[] {
  return input.revisions
    .filter((r) => r.revision < input.live.revision && r.revision > chosen.revision)
    .flatMap((revision) => {
      const mark = markOf(revision, input.ledger);
      if (mark !== undefined)
        return [`revision ${revision.revision} is skipped: rolled back by ${mark.request}`];
      if (sameBesidesRestart(revision.template, input.live.template)) {
        return [`revision ${revision.revision} is skipped: it is the live template before a restart`];
      }
      return [];
    });
}

function noOlderRevision(input: ChoiceInput): Choice {
  const others = input.revisions.length - 1;
  const limit = `revisionHistoryLimit ${input.revisionHistoryLimit}`;
  return refused(
    "NoRevision",
    others <= 0
      ? `there is no older revision: the history holds only the live one (${limit})`
      : `there is no older revision with another template that was not rolled back itself (${limit})`,
  );
}

function isKnownGood(revision: Revision, ledger: RollbackLedgerSpec | undefined): boolean {
  return (
    ledger?.knownGood.some(
      (good) => good.replicaSetUid === revision.uid && good.podTemplateHash === revision.podTemplateHash,
    ) ?? false
  );
}

function markOf(revision: Revision, ledger: RollbackLedgerSpec | undefined) {
  return ledger?.marks.findLast((mark) => mark.replicaSetUid === revision.uid);
}

function refused(reason: string, message: string): Choice {
  return { kind: "Refused", reason, message };
}
