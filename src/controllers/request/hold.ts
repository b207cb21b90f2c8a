import type { HoldStatus, LedgerHold } from "../../crds/gitops-hold.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { ownerText } from "../../gitops/owner.ts";
import { setHold } from "../../gitops/set-hold.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { recordHolds } from "../ledger/holds.ts";
import { holderOf, identityOf } from "./holds.ts";
import { changeLedgerOf } from "./ledgers.ts";
import type { RequestPorts } from "./ports.ts";
import { writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { planSentence } from "./wording.ts";

/**
 * Writes down what stood in the fields, before the announcement: an original value must never live in a status alone.
 * Safe to repeat. Throws KubeError.
 */
export async function recordAnnouncedHolds(
  ports: RequestPorts,
  situation: ResolvedSituation,
  holds: readonly HoldStatus[] | undefined,
  signal: AbortSignal,
): Promise<Situation["ledgers"]> {
  const { request, resolution, ledgers } = situation;
  if (holds === undefined) return ledgers;
  const entries = holds.map((hold) => entryOf(hold, request));
  const change = (ledger: RollbackLedgerSpec) => recordHolds(ledger, request.metadata.uid, entries);
  return changeLedgerOf(ports, ledgers, resolution.target, change, signal);
}

function entryOf(hold: HoldStatus, { metadata }: RollbackRequest): LedgerHold {
  const { name, uid } = metadata;
  return { ...identityOf(hold), since: hold.since, request: name, requestUid: uid };
}

/** Stops all of them and waits until they stand. */
export async function hold(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const holder = holderOf(resolution, request.metadata);
  const holds = request.status?.holds ?? [];
  if (holder === undefined) throw new TypeError("holds were announced, but no policy allows them");
  const now = ports.clock.now();
  const reader = ports.gitOps.reader(signal);
  const results = await Promise.all(
    holds.map(async (each) => (each.state === "Setting" ? setHold(each, holder, now, reader) : HELD)),
  );
  const refused = results.find((each) => each.kind === "Refused");
  if (refused !== undefined) return { ...situation, holding: refused };
  const waiting = results.find((each) => each.kind === "Waiting");
  if (waiting !== undefined) return { ...situation, holding: waiting };
  const heldAt = new Date(now).toISOString();
  const held = holds.map((each): HoldStatus => ({ ...each, state: "Held", heldAt: each.heldAt ?? heldAt }));
  ports.record({
    type: "Normal",
    reason: "HoldSet",
    action: "Hold",
    note: `${held.map(ownerText).join(", ")} stopped, so that the rollback lasts until Git agrees`,
    regarding: request,
  });
  const message = `rolling back ${planSentence(request.status?.plan ?? { steps: [] })}`;
  const activity = { phase: "Applying", reason: "Applying", message } as const;
  const next = await writeRunning(ports, situation, { holds: held }, activity, signal);
  return { ...next, holding: HELD };
}

const HELD = { kind: "Held" } as const;
