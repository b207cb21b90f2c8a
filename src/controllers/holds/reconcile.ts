import type { HoldStatus } from "../../crds/gitops-hold.ts";
import { endHold, lookAtHold } from "../../gitops/end-hold.ts";
import { ownerText } from "../../gitops/owner.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { errorMessage, isApiNotServed, isForbidden } from "../../kube/errors.ts";
import { parseKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { changeLedger, isNamespaceGoing } from "../ledger/ledger.ts";
import { removeHold } from "../ledger/holds.ts";
import { hasOpenHolds, isFinished } from "../request/phase.ts";
import { resolve } from "../request/resolve.ts";
import { decideHold, type EndReason, type HoldDecision } from "./decide-hold.ts";
import { persistedOf, withPersisted, type HoldOutcome } from "./persisted.ts";
import type { HoldPorts } from "./ports.ts";

/** Git moves within minutes, and whoever asks for a release wakes us. */
const POLL_MS = 5_000;
/** It moved between look and write. */
const AGAIN_MS = 100;
/** Its rights come back without an event of ours. */
const UNREADABLE_MS = 30_000;

/** Looks at the holds of one finished request, and ends those that are over. Throws KubeError. */
export async function reconcileHolds(
  ports: HoldPorts,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const request = await ports.client.tryGet(ROLLBACK_REQUESTS, parseKey(key), { signal });
  if (request === undefined || !isFinished(request) || !hasOpenHolds(request)) return { done: true };
  const namespaceTerminates = await isTerminating(ports, request, signal);
  const outcomes: HoldOutcome[] = [];
  for (const hold of request.status?.holds ?? []) {
    outcomes.push(await pass(ports, request, hold, namespaceTerminates, signal));
  }
  const holds = outcomes.map(({ hold }) => hold);
  const status = withPersisted(request, holds, persistedOf(outcomes), ports.clock.now());
  const written = await writeStatus(ports.client, ROLLBACK_REQUESTS, request, status, { signal });
  if (!hasOpenHolds(written)) return { done: true };
  if (outcomes.some(({ decision }) => decision.kind === "End")) return { afterMs: AGAIN_MS };
  return { afterMs: outcomes.some(({ hold }) => hold.message !== undefined) ? UNREADABLE_MS : POLL_MS };
}

/** Only a deletion asks for it: a request of a namespace that goes must not keep it. */
async function isTerminating(
  { client }: HoldPorts,
  { metadata }: RollbackRequest,
  signal: AbortSignal,
): Promise<boolean> {
  if (metadata.deletionTimestamp === undefined) return false;
  return isNamespaceGoing(client, metadata.namespace ?? "", signal);
}

async function pass(
  ports: HoldPorts,
  request: RollbackRequest,
  hold: HoldStatus,
  namespaceTerminates: boolean,
  signal: AbortSignal,
): Promise<HoldOutcome> {
  if (hold.state === "Released" || hold.state === "Lost") return { hold, decision: { kind: "Ended" } };
  try {
    return await lookAndEnd(ports, request, hold, namespaceTerminates, signal);
  } catch (error) {
    if (!isForbidden(error) && !isApiNotServed(error)) throw error;
    const message = `${ownerText(hold)} cannot be reached: ${errorMessage(error)}`;
    return { hold: { ...hold, message }, decision: { kind: "Keep", agreement: "Unknown", message } };
  }
}

async function lookAndEnd(
  ports: HoldPorts,
  request: RollbackRequest,
  hold: HoldStatus,
  namespaceTerminates: boolean,
  signal: AbortSignal,
): Promise<HoldOutcome> {
  const { namespace = "", name } = request.metadata;
  const reader = ports.gitOps.reader(signal);
  const look = await lookAtHold(hold, { namespace, name }, changedAt(request), reader);
  const decision = decideHold({ request, hold, look, namespaceTerminates });
  const { message: _, ...quiet } = hold;
  switch (decision.kind) {
    case "Keep":
      return { hold: quiet, decision };
    case "Close":
      return closed(ports, request, quiet, decision, signal);
    case "End":
      break;
  }
  if (ports.killSwitch().kind !== "Off") {
    const message = `${ownerText(hold)} stays stopped until the kill switch is off`;
    return { hold: quiet, decision: { kind: "Keep", agreement: "Unknown", message } };
  }
  const ended = await endHold(hold, `${namespace}/${name}`, reader);
  if (ended.kind === "Again") return { hold: quiet, decision };
  const message = `${REASONS[decision.reason]}: ${ended.message}`;
  const state = { kind: "Close", state: "Released", message, reason: decision.reason } as const;
  return closed(ports, request, quiet, state, signal);
}

const REASONS: Readonly<Record<EndReason, string>> = {
  GitAgrees: "Git wants what is live",
  Released: "released by request, Git decides from now on",
  NothingChanged: "nothing that was changed is left",
  NamespaceTerminating: "the namespace is being deleted",
};

/** Ledger first: a crash in between finds the hold over and does this again. */
async function closed(
  ports: HoldPorts,
  request: RollbackRequest,
  hold: HoldStatus,
  { state, message, reason }: Extract<HoldDecision, { kind: "Close" }> & { readonly reason?: EndReason },
  signal: AbortSignal,
): Promise<HoldOutcome> {
  const { target } = resolve({
    request,
    policy: undefined,
    defaultExecutor: undefined,
    actions: ports.actions,
  });
  if (target !== undefined) {
    const change = (ledger: Parameters<typeof removeHold>[0]) =>
      removeHold(ledger, request.metadata.uid, hold.uid);
    await changeLedger(ports.client, target, change, signal);
  }
  const { namespace = "", name } = request.metadata;
  ports.onEnded({ request: `${namespace}/${name}`, owner: ownerText(hold), result: state, message });
  ports.record({
    type: state === "Lost" ? "Warning" : "Normal",
    reason: state === "Lost" ? "HoldLost" : "HoldReleased",
    action: "ReleaseHold",
    note: message,
    regarding: request,
  });
  const endedAt = new Date(ports.clock.now()).toISOString();
  const ended: HoldStatus = {
    ...hold,
    state,
    endedAt,
    message,
    ...(reason === undefined ? {} : { endReason: reason }),
  };
  return {
    hold: ended,
    decision: reason === undefined ? { kind: "Close", state, message } : { kind: "Ended" },
  };
}

/** When the newest change was stored, ms: what Argo CD compared before that says nothing. */
function changedAt({ status }: RollbackRequest): number {
  const times = (status?.steps ?? []).map(({ appliedAt = "" }) => Date.parse(appliedAt));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}
