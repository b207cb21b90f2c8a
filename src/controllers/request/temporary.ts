import type { PlannedStep } from "../../crds/rollback-request.ts";
import { recordDue, startHold, type DueOwner } from "../ledger/due.ts";
import type { LedgerChange } from "../ledger/ledger.ts";
import { openStep } from "./journal.ts";
import { changeLedgerOf, ledgerOf } from "./ledgers.ts";
import type { RequestPorts } from "./ports.ts";
import { resolvedStep, type ResolvedSituation } from "./running.ts";
import type { Ledgers } from "./situation.ts";

/**
 * Writes down what a step is about to change for a time, before its announcement: from then on it is finished, whatever
 * becomes of the request. Safe to repeat. Throws KubeError.
 */
export async function recordTemporary(
  ports: RequestPorts,
  situation: ResolvedSituation,
  index: number,
  planned: PlannedStep,
  signal: AbortSignal,
): Promise<Ledgers> {
  const { targets, timeoutMs } = resolvedStep(situation, index);
  const waiting = ledgerOf(situation.ledgers, targets[0])?.due ?? [];
  if (planned.temporary === undefined && waiting.length === 0) return situation.ledgers;
  const latestEnd = ports.clock.now() + timeoutMs;
  const owner = ownerOf(situation, index, planned);
  return change(ports, situation, index, (ledger) => recordDue(ledger, owner, latestEnd), signal);
}

/** The open step came to its end: its hold begins. Safe to repeat. Throws KubeError. */
export async function beginHold(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Ledgers> {
  const { index, planned } = openStep(situation.request);
  if (planned.temporary === undefined) return situation.ledgers;
  const owner = ownerOf(situation, index, planned);
  const now = ports.clock.now();
  return change(ports, situation, index, (ledger) => startHold(ledger, owner, now), signal);
}

function ownerOf({ request, resolution }: ResolvedSituation, index: number, planned: PlannedStep): DueOwner {
  const { name, uid } = request.metadata;
  return {
    request: name,
    requestUid: uid,
    serviceAccountName: resolution.serviceAccountName,
    planned,
    objects: (resolution.steps[index]?.targets ?? []).map((target) => `${target.kind}/${target.name}`),
  };
}

async function change(
  ports: RequestPorts,
  situation: ResolvedSituation,
  index: number,
  edit: LedgerChange,
  signal: AbortSignal,
): Promise<Ledgers> {
  const [target] = resolvedStep(situation, index).targets;
  // Only checks have no object, and they change nothing.
  if (target === undefined) return situation.ledgers;
  return changeLedgerOf(ports, situation.ledgers, target, edit, signal);
}
