import type { HoldStatus } from "../crds/gitops-hold.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../kube/errors.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import { mergePatch } from "../kube/patch.ts";
import { hasLeftAlone, isSyncing, REFRESH } from "./argo-cd.ts";
import type { GitOpsReader } from "./chain.ts";
import { isReconciling } from "./flux.ts";
import { consents, isHeldBy, type Holder } from "./held-by.ts";
import { holdText, isStopped } from "./hold-field.ts";
import { APPLICATIONS, ownerType, type Application, type FluxObject, type GitOpsObject } from "./kinds.ts";
import { ownerText } from "./owner.ts";
import { stopPatch } from "./stop.ts";

export type SetHold =
  | { readonly kind: "Held" }
  /** It stands or is about to; what follows has to wait. */
  | { readonly kind: "Waiting"; readonly message: string; readonly pollAfterMs: number }
  | { readonly kind: "Refused"; readonly message: string };

/** How long a tool that does not look is waited for: one that is down undoes nothing, and reads the hold when it is up. */
const SILENCE_MS = 30_000;

/** One reconciliation of a parent: Argo CD's own default is two minutes, and one more of jitter. */
const PARENT_LIMIT_MS = 200_000;

/** A sync that is under way may take its time. */
const SYNC_LIMIT_MS = 300_000;

const POLL_MS = 500;

/**
 * Stops a tool's object and looks whether it stays so. Nothing may be changed before this says Held: a sync that began
 * before would undo it, and so would a parent. Safe to repeat. Throws KubeError.
 */
export async function setHold(
  hold: HoldStatus,
  holder: Holder,
  now: number,
  reader: GitOpsReader,
): Promise<SetHold> {
  try {
    return await stopAndLook(hold, holder, now, reader);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return { kind: "Refused", message: `${ownerText(hold)}: ${errorMessage(error)}` };
  }
}

async function stopAndLook(
  hold: HoldStatus,
  holder: Holder,
  now: number,
  reader: GitOpsReader,
): Promise<SetHold> {
  const { client, signal } = reader;
  const key = { namespace: hold.namespace, name: hold.name };
  const title = ownerText(hold);
  const owner = await client.tryGet(ownerType(hold.kind), key, { signal });
  if (owner === undefined) return { kind: "Refused", message: `${title} is gone` };
  if (owner.metadata.uid !== hold.uid)
    return { kind: "Refused", message: `${title} was deleted and made again` };
  if (!consents(owner, holder.policy))
    return { kind: "Refused", message: `the owner of ${title} has withdrawn the consent` };
  const age = now - Date.parse(hold.since);
  const stopped = isHeldBy(owner, holder.request) ? owner : await stop(owner, hold, holder, reader);
  if (stopped === undefined) {
    // Its status moves all the time; the next look has the newest.
    const message = `stopping ${title}`;
    return age > SYNC_LIMIT_MS ? { kind: "Refused", message } : { kind: "Waiting", message, pollAfterMs: 50 };
  }
  if (!isStopped(stopped, hold.kind)) {
    const message = `${title} has ${holdText(hold.kind)} no more: its parent or somebody else took it away`;
    return { kind: "Refused", message };
  }
  return awaitCalm(stopped, age) ?? awaitParent(stopped, hold, age, reader);
}

/** Undefined when it moved since it was read. */
async function stop(
  owner: GitOpsObject,
  { kind, namespace, name, found }: HoldStatus,
  holder: Holder,
  { client, signal }: GitOpsReader,
): Promise<GitOpsObject | undefined> {
  try {
    const patch = stopPatch(owner, holder, found);
    const options = { signal, fieldManager: FIELD_MANAGER };
    return await client.patch(ownerType(kind), { namespace, name }, patch, options);
  } catch (error) {
    if (!isInvalid(error) && !isNotFound(error)) throw error;
    return undefined;
  }
}

/** Whether anything that began before the hold could still write. */
function awaitCalm(owner: GitOpsObject, age: number): SetHold | undefined {
  const title = ownerText({ kind: owner.kind, ...owner.metadata });
  const isBusy =
    owner.kind === "Application" ? isSyncing(owner as Application) : isReconciling(owner as FluxObject);
  if (isBusy) {
    const remedy =
      owner.kind === "Application" ? `; "argocd app terminate-op ${owner.metadata.name}" ends it` : "";
    const message = `${title} is stopped, but a sync that began before is still under way, and would undo the rollback${remedy}`;
    return age > SYNC_LIMIT_MS
      ? { kind: "Refused", message }
      : { kind: "Waiting", message, pollAfterMs: POLL_MS };
  }
  if (owner.kind !== "Application" || owner.metadata.annotations?.[REFRESH] === undefined) return undefined;
  return age > SILENCE_MS
    ? undefined
    : {
        kind: "Waiting",
        message: `waits until Argo CD has seen that ${title} is stopped`,
        pollAfterMs: POLL_MS,
      };
}

/** A parent that sets the Application back would do so at its next look. */
async function awaitParent(
  owner: GitOpsObject,
  { confirmBy, since }: HoldStatus,
  age: number,
  { client, signal }: GitOpsReader,
): Promise<SetHold> {
  if (confirmBy === undefined) return { kind: "Held" };
  const [namespace = "", name = ""] = confirmBy.split("/");
  const parent = await client.tryGet(APPLICATIONS, { namespace, name }, { signal });
  // Whoever is gone sets nothing back.
  if (parent === undefined || hasLeftAlone(parent, owner, Date.parse(since))) return { kind: "Held" };
  if (age > PARENT_LIMIT_MS) {
    const message = `Application ${confirmBy} was not seen to leave the hold alone: let it ignore the field (docs/gitops-hold.md, Parents), or see why it does not compare`;
    return { kind: "Refused", message };
  }
  if (parent.metadata.annotations?.[REFRESH] === undefined) {
    // It would look by itself, but only in minutes.
    const refresh = mergePatch({ metadata: { annotations: { [REFRESH]: "normal" } } });
    const options = { signal, fieldManager: FIELD_MANAGER };
    await client.patch(APPLICATIONS, { namespace, name }, refresh, options);
  }
  const message = `waits until Application ${confirmBy} has been seen to leave the hold alone`;
  return { kind: "Waiting", message, pollAfterMs: 1_000 };
}
