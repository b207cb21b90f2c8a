import type { HoldStatus } from "../../crds/gitops-hold.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { endHold, lookAtHold } from "../../gitops/end-hold.ts";
import { ownerText } from "../../gitops/owner.ts";
import { cutText } from "../../kube/conditions.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import { errorMessage, isApiNotServed, isForbidden } from "../../kube/errors.ts";
import { parseKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { changeLedger, isNamespaceGoing } from "../ledger/ledger.ts";
import { removeHold } from "../ledger/holds.ts";
import { hasOpenHolds, isFinished, isOpenHold } from "../request/phase.ts";
import { resolve } from "../request/resolve.ts";
import { decideHold, type EndReason, type HoldDecision } from "./decide-hold.ts";
import { persistedOf, withPersisted, type HoldOutcome } from "./persisted.ts";
import type { HoldPorts } from "./ports.ts";
import { stillOurs } from "./still-ours.ts";

/** What the schema allows. */
const LONGEST_MESSAGE = 1_024;
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
  const outcomes: (HoldOutcome & Pace)[] = [];
  for (const hold of request.status?.holds ?? []) {
    outcomes.push(await pass(ports, request, hold, namespaceTerminates, signal));
  }
  const holds = outcomes.map(({ hold }) => hold);
  const status = withPersisted(request, holds, persistedOf(outcomes), ports.clock.now());
  const written = await writeStatus(ports.client, ROLLBACK_REQUESTS, request, status, { signal });
  if (!hasOpenHolds(written)) return { done: true };
  return { afterMs: Math.min(...outcomes.map(({ afterMs }) => afterMs ?? POLL_MS)) };
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

/** When to look again, ms; as always where it is not said. */
interface Pace {
  readonly afterMs?: number;
}

async function pass(
  ports: HoldPorts,
  request: RollbackRequest,
  hold: HoldStatus,
  namespaceTerminates: boolean,
  signal: AbortSignal,
): Promise<HoldOutcome & Pace> {
  if (!isOpenHold(hold)) return { hold };
  try {
    return await lookAndEnd(ports, request, hold, namespaceTerminates, signal);
  } catch (error) {
    if (!isForbidden(error) && !isApiNotServed(error)) throw error;
    const message = `${ownerText(hold)} cannot be reached: ${errorMessage(error)}`;
    return { hold, keep: { agreement: "Unknown", message }, afterMs: UNREADABLE_MS };
  }
}

async function lookAndEnd(
  ports: HoldPorts,
  request: RollbackRequest,
  hold: HoldStatus,
  namespaceTerminates: boolean,
  signal: AbortSignal,
): Promise<HoldOutcome & Pace> {
  const { namespace = "", name } = request.metadata;
  const reader = ports.gitOps.reader(signal);
  const look = await lookAtHold(hold, { namespace, name }, changedAt(request), reader);
  const decision = await checked(
    ports,
    request,
    decideHold({ request, hold, look, namespaceTerminates }),
    signal,
  );
  switch (decision.kind) {
    case "Keep":
      return { hold, keep: decision };
    case "Close":
      // Our name must not stay on what somebody else has started.
      if (decision.state === "Lost") await endHold(hold, `${namespace}/${name}`, reader);
      return { hold: await close(ports, request, hold, decision, signal) };
    case "End":
      break;
  }
  if (ports.killSwitch().kind !== "Off") {
    const message = `${ownerText(hold)} stays stopped until the kill switch is off`;
    return { hold, keep: { agreement: "Unknown", message } };
  }
  const ended = await endHold(hold, `${namespace}/${name}`, reader);
  if (ended.kind === "Again") {
    const message = `${ownerText(hold)} is being started again`;
    return { hold, keep: { agreement: "Unknown", message }, afterMs: AGAIN_MS };
  }
  const { reason } = decision;
  const message = `${REASONS[reason]}: ${ended.message}`;
  return { hold: await close(ports, request, hold, { state: "Released", reason, message }, signal) };
}

/** Git agrees with what is live; only the live objects tell whether that is what we left. */
async function checked(
  ports: HoldPorts,
  request: RollbackRequest,
  decision: HoldDecision,
  signal: AbortSignal,
): Promise<HoldDecision> {
  if (decision.kind === "Keep" || decision.reason !== "GitAgrees") return decision;
  const ours = await stillOurs(ports, request, signal);
  switch (ours.kind) {
    case "Yes":
      return decision;
    case "No":
      return { ...decision, reason: "Overtaken" };
    case "Unreadable":
      return {
        kind: "Keep",
        agreement: "Unknown",
        message: `Git agrees with what is live, but whether that is what was left is not known: ${ours.message}; "kubectl-rollback release ${request.metadata.name}" ends the hold`,
      };
  }
}

const REASONS: Readonly<Record<EndReason, string>> = {
  GitAgrees: "Git wants what is live",
  Released: "released by request, Git decides from now on",
  Overtaken: "what was rolled back has been changed since, by a sync or by a person, and Git wants that",
  NothingChanged: "nothing that was changed is left",
  NamespaceTerminating: "the namespace is being deleted",
};

/** Ledger first: a crash in between finds the hold over and does this again. */
async function close(
  ports: HoldPorts,
  request: RollbackRequest,
  hold: HoldStatus,
  { state, reason, message }: Omit<Extract<HoldDecision, { kind: "Close" }>, "kind">,
  signal: AbortSignal,
): Promise<HoldStatus> {
  const { target } = resolve({
    request,
    policy: undefined,
    defaultExecutor: undefined,
    actions: ports.actions,
  });
  const { namespace = "", name, uid } = request.metadata;
  if (target !== undefined) {
    const change = (ledger: RollbackLedgerSpec) => removeHold(ledger, uid, hold.uid);
    await changeLedger(ports.client, target, change, signal);
  }
  ports.onEnded({ request: `${namespace}/${name}`, owner: ownerText(hold), result: state, message });
  const isLost = state === "Lost";
  ports.record({
    type: isLost ? "Warning" : "Normal",
    reason: isLost ? "HoldLost" : "HoldReleased",
    action: "ReleaseHold",
    note: message,
    regarding: request,
  });
  const endedAt = new Date(ports.clock.now()).toISOString();
  return { ...hold, state, endedAt, endReason: reason, message: cutText(message, LONGEST_MESSAGE) };
}

/** When the newest change was stored, ms: what Argo CD compared before that says nothing. */
function changedAt({ status }: RollbackRequest): number {
  const times = (status?.steps ?? []).map(({ appliedAt = "" }) => Date.parse(appliedAt));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}
