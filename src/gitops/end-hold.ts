import type { HoldStatus } from "../crds/gitops-hold.ts";
import { isInvalid, isNotFound } from "../kube/errors.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import { agreementOf, type Agreement } from "./argo-cd.ts";
import type { GitOpsReader } from "./chain.ts";
import { heldBy } from "./held-by.ts";
import { foundIn, holdText, isStopped } from "./hold-field.ts";
import { ownerType, type Application } from "./kinds.ts";
import { ownerText } from "./owner.ts";
import { startPatch } from "./stop.ts";

/** How a hold stands. */
export type HoldLook =
  | { readonly kind: "Stands"; readonly agreement: Agreement }
  /** All is as it was found: by us before a crash, or by a person's hand. */
  | { readonly kind: "Restored"; readonly agreement: Agreement }
  /** Nothing was stored yet. */
  | { readonly kind: "NotSet" }
  | { readonly kind: "Gone"; readonly message: string }
  /** Somebody else has started it again. */
  | { readonly kind: "Lost"; readonly message: string };

/** Looks at a hold, and at what Git wants of its objects by now. `changedAt` in ms. Throws KubeError. */
export async function lookAtHold(
  hold: HoldStatus,
  request: { readonly namespace: string; readonly name: string },
  changedAt: number,
  { client, signal }: GitOpsReader,
): Promise<HoldLook> {
  const { kind, namespace, name, uid } = hold;
  const title = ownerText(hold);
  const owner = await client.tryGet(ownerType(kind), { namespace, name }, { signal });
  if (owner === undefined) return { kind: "Gone", message: `${title} is gone` };
  if (owner.metadata.uid !== uid) {
    return { kind: "Lost", message: `${title} was deleted and made again, and is not stopped` };
  }
  const held = heldBy(owner);
  const isOurs = held?.by.includes(`${request.namespace}/${request.name}`) === true;
  if (hold.state === "Setting" && !isOurs) return { kind: "NotSet" };
  const agreement =
    kind === "Application"
      ? agreementOf(owner as Application, hold, request.namespace, changedAt)
      : "Unknown";
  // A maker that strips annotations has left the field alone: it is still ours to put back.
  if (isStopped(owner, kind) && (isOurs || held === undefined)) return { kind: "Stands", agreement };
  const isAsFound = held === undefined ? foundIn(owner, kind) === hold.found : isStopped(owner, kind);
  if (!isOurs && isAsFound) return { kind: "Restored", agreement };
  return { kind: "Lost", message: `${title} has ${holdText(kind)} no more: somebody else took it away` };
}

export type EndedHold =
  | { readonly kind: "Ended"; readonly message: string }
  /** It moved between look and write. */
  | { readonly kind: "Again" };

/** Takes the request's name away, and with the last name puts back what was found. Safe to repeat. Throws KubeError. */
export async function endHold(
  { kind, namespace, name, uid, found }: HoldStatus,
  request: string,
  { client, signal }: GitOpsReader,
): Promise<EndedHold> {
  const title = ownerText({ kind, namespace, name });
  const owner = await client.tryGet(ownerType(kind), { namespace, name }, { signal });
  if (owner?.metadata.uid !== uid) return { kind: "Ended", message: `${title} is gone` };
  const patch = startPatch(owner, request, found);
  if (patch === undefined) return { kind: "Ended", message: `${title} was not held by it any more` };
  try {
    await client.patch(ownerType(kind), { namespace, name }, patch, { signal, fieldManager: FIELD_MANAGER });
  } catch (error) {
    if (isInvalid(error) || isNotFound(error)) return { kind: "Again" };
    throw error;
  }
  const others = (heldBy(owner)?.by ?? []).filter((each) => each !== request);
  return {
    kind: "Ended",
    message:
      others.length === 0
        ? `${title} is reconciled again`
        : `${title} stays stopped for ${others.join(", ")}`,
  };
}
