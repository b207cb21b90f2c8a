import type { PlannedHold } from "../crds/gitops-hold.ts";
import { OWNER_ANNOTATIONS } from "../crds/annotations.ts";
import { errorMessage, isApiNotServed, isForbidden, isInvalid } from "../kube/errors.ts";
import { isAutomated, listsObject } from "./argo-cd.ts";
import { parentOf, type GitOpsReader, type Parent } from "./chain.ts";
import { inventoryHas } from "./flux.ts";
import { consents, heldBy, type Holder } from "./held-by.ts";
import { foundIn, holdText, isStopped } from "./hold-field.ts";
import { ownerType, type Application, type FluxObject, type GitOpsObject } from "./kinds.ts";
import { ownerText } from "./owner.ts";
import type { OwnedObject } from "./rule.ts";
import { stopPatch } from "./stop.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";

export type FoundHolds =
  | {
      readonly kind: "Found";
      readonly holds: readonly PlannedHold[];
      /** Of owners that need no hold, and of what ends one before Git agrees. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string };

type Judged =
  | { readonly kind: "Hold"; readonly hold: PlannedHold; readonly warning?: string }
  | { readonly kind: "NotNeeded"; readonly warning: string }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string };

/**
 * Which GitOps objects are to be stopped for a change of these objects: owners that really have them, that consent, and
 * whose own makers leave the hold alone. Changes nothing. Throws KubeError.
 */
export async function findHolds(
  owned: readonly OwnedObject[],
  holder: Holder,
  reader: GitOpsReader,
): Promise<FoundHolds> {
  const owners = [...Map.groupBy(owned, ({ owner }) => owner.owner).values()];
  const judged = await Promise.all(owners.map((objects) => judge(objects, holder, reader)));
  const refused = judged.find((each) => each.kind === "Refused");
  if (refused !== undefined) return refused;
  return {
    kind: "Found",
    holds: judged.flatMap((each) => (each.kind === "Hold" ? [each.hold] : [])),
    warnings: judged.flatMap((each) =>
      each.kind === "Refused" || each.warning === undefined ? [] : [each.warning],
    ),
  };
}

async function judge(objects: readonly OwnedObject[], holder: Holder, reader: GitOpsReader): Promise<Judged> {
  const [first] = objects;
  if (first === undefined) throw new TypeError("an owner of nothing");
  const { owner: mark } = first;
  const key = { namespace: mark.namespace ?? reader.argoCdNamespace, name: mark.name };
  const title = ownerText({ kind: mark.kind, ...key });
  const managed = `${objectText(first)} is managed by ${mark.tool} ${title}`;
  const owner = await read(mark.kind, key, reader);
  if (typeof owner === "string") {
    return mark.weak === true && owner === NOT_HERE ? notOwned(title) : refuse(`${managed}, ${owner}`);
  }
  const strange = objects.find(({ object }) => !hasObject(owner, object));
  if (strange !== undefined) {
    if (mark.weak === true) return notOwned(title);
    return refuse(
      `${objectText(strange)} says that it is managed by ${mark.tool} ${title}, which does not list it (yet): wait for its next reconciliation, or take the mark off the object`,
    );
  }
  const { namespace = "", name, uid } = owner.metadata;
  const needed = isNeeded(owner);
  if (!needed) {
    const warning = `${title} is not reconciled by itself: its next sync brings back what Git has`;
    return { kind: "NotNeeded", warning };
  }
  if (!consents(owner, holder.policy)) {
    return {
      kind: "Refused",
      reason: "ConsentMissing",
      message: `${managed}, whose owner has not agreed to be stopped: ${consentCommand(owner, holder.policy)}`,
    };
  }
  const parent = await parentOf(owner, reader);
  if (parent.verdict.kind === "TakesAway") {
    return refuse(`${managed}; ${parent.chain[0]} would start it again: ${parent.verdict.remedy}`);
  }
  const unable = await rehearse(owner, holder, reader);
  if (unable !== undefined) return refuse(`${managed}, ${unable}`);
  const hold: PlannedHold = {
    kind: mark.kind,
    namespace,
    name,
    uid,
    found: heldBy(owner)?.found ?? foundIn(owner, mark.kind),
    objects: objects.map(({ object }) => `${object.kind}/${object.metadata.name}`),
    ...chainOf(parent),
  };
  const warning = `${parent.chain[0]} sets the field too: its next sync starts ${title} again`;
  return { kind: "Hold", hold, ...(parent.verdict.kind === "AtNextSync" ? { warning } : {}) };
}

function chainOf({ chain, verdict, confirmBy }: Parent): Pick<PlannedHold, "chain" | "confirmBy"> {
  return {
    ...(chain.length === 0 ? {} : { chain: [...chain] }),
    ...(verdict.kind === "Confirm" && confirmBy !== undefined ? { confirmBy } : {}),
  };
}

const NOT_HERE = "which is not in this cluster: revert in Git, nobody here can stop it";

/** Its label is one that others set too. */
function notOwned(title: string): Judged {
  return {
    kind: "NotNeeded",
    warning: `its label names ${title}, which does not list it: taken for nobody's`,
  };
}

/** What adds the policy to those that the owner lets stop it already. */
function consentCommand({ kind, metadata }: GitOpsObject, policy: string): string {
  const { namespace = "", name, annotations } = metadata;
  const others = annotations?.[OWNER_ANNOTATIONS.consent] ?? "";
  const [flag, list] = others === "" ? ["", policy] : ["--overwrite ", `'${others},${policy}'`];
  return `kubectl annotate ${flag}${kind.toLowerCase()} -n ${namespace} ${name} ${OWNER_ANNOTATIONS.consent}=${list}`;
}

/** The tool's object, or why there is none. */
async function read(
  kind: PlannedHold["kind"],
  key: { readonly namespace: string; readonly name: string },
  { client, signal }: GitOpsReader,
): Promise<GitOpsObject | string> {
  try {
    const owner = await client.tryGet(ownerType(kind), key, { signal });
    return owner ?? NOT_HERE;
  } catch (error) {
    if (isApiNotServed(error))
      return "whose kind is not in this cluster: revert in Git, nobody here can stop it";
    if (!isForbidden(error)) throw error;
    return `which the operator may not read: install deploy/gitops-hold (${errorMessage(error)})`;
  }
}

function hasObject(owner: GitOpsObject, object: OwnedObject["object"]): boolean {
  return owner.kind === "Application"
    ? listsObject(owner as Application, object)
    : inventoryHas(owner as FluxObject, object);
}

/** One that a person has stopped already undoes nothing; one that we stop needs each of its requests. */
function isNeeded(owner: GitOpsObject): boolean {
  if (heldBy(owner) !== undefined) return true;
  return owner.kind === "Application"
    ? isAutomated(owner as Application)
    : !isStopped(owner, "Kustomization");
}

/** Asks the API server what would become of the hold: an older CRD drops the field without a word. */
async function rehearse(
  owner: GitOpsObject,
  holder: Holder,
  { client, signal }: GitOpsReader,
): Promise<string | undefined> {
  const kind = owner.kind as PlannedHold["kind"];
  const { namespace = "", name } = owner.metadata;
  try {
    const options = { signal, dryRun: true, fieldManager: FIELD_MANAGER };
    const after = await client.patch(ownerType(kind), { namespace, name }, stopPatch(owner, holder), options);
    return isStopped(after, kind)
      ? undefined
      : `whose kind does not know ${holdText(kind)} (Argo CD before 3.1?): revert in Git`;
  } catch (error) {
    if (isForbidden(error))
      return `which the operator may not stop: install deploy/gitops-hold (${errorMessage(error)})`;
    // It changed since it was read: the hold itself looks again.
    if (isInvalid(error)) return undefined;
    throw error;
  }
}

function objectText({ object }: OwnedObject): string {
  return `${object.kind} ${object.metadata.name}`;
}

function refuse(message: string): Judged {
  return { kind: "Refused", reason: "GitOpsManaged", message };
}
