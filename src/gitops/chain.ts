import type { KubeClient } from "../kube/client.ts";
import { isApiNotServed, isForbidden, isNotFound } from "../kube/errors.ts";
import type { ObjectKey, ResourceType } from "../kube/objects.ts";
import { applicationSetVerdict, isAutomated, parentVerdict, type ParentVerdict } from "./argo-cd.ts";
import { isTakenAwayByFlux } from "./flux.ts";
import { APPLICATION_SETS, ownerType, type Application, type GitOpsObject } from "./kinds.ts";
import { gitOpsOwners, ownerText } from "./owner.ts";

/** Who looks at the tools' objects, and where. */
export interface GitOpsReader {
  /** Acts as the hold account. */
  readonly client: KubeClient;
  /** Where Argo CD itself runs. */
  readonly argoCdNamespace: string;
  readonly signal: AbortSignal;
}

/** What makes an owner itself, and what that means for a hold of it. */
export interface Parent {
  /** Nearest first, as Kind namespace/name. */
  readonly chain: readonly string[];
  readonly verdict: ParentVerdict;
  /** The Application that is to be seen to leave the hold alone. */
  readonly confirmBy?: string | undefined;
}

/** No chain of Git repositories is longer; a circle would be. */
const LONGEST_CHAIN = 8;

const NO_PARENT: Parent = { chain: [], verdict: { kind: "Leaves" } };

/** Reads the nearest parent and judges it; those above it write only their own children. Throws KubeError. */
export async function parentOf(owner: GitOpsObject, reader: GitOpsReader): Promise<Parent> {
  const [nearest] = parentsOf(owner, reader);
  if (nearest === undefined) return NO_PARENT;
  const title = ownerText(nearest);
  const parent = await readOrUndefined(nearest.type, nearest, reader);
  if (parent === undefined) {
    const remedy = `it could not be read: give the hold account the right to get it, or take its mark off the ${owner.kind}`;
    return { chain: [title], verdict: { kind: "TakesAway", remedy } };
  }
  const chain = [title, ...(await namesAbove(parent, reader))];
  switch (nearest.kind) {
    case "ApplicationSet":
      return { chain, verdict: applicationSetVerdict(parent as never, owner as Application) };
    case "Application":
      return {
        chain,
        verdict:
          owner.kind === "Application"
            ? parentVerdict(parent as Application, owner as Application)
            : fluxUnderArgoCd(parent as Application),
        confirmBy: `${nearest.namespace}/${nearest.name}`,
      };
    default:
      return {
        chain,
        verdict: isTakenAwayByFlux(owner, nearest.kind)
          ? { kind: "TakesAway", remedy: "leave the field out of its manifest in Git" }
          : { kind: "Leaves" },
      };
  }
}

/** Argo CD compares Flux's objects as it compares all others; only one that is seen to leave it alone is trusted. */
function fluxUnderArgoCd(parent: Application): ParentVerdict {
  return isAutomated(parent) ? { kind: "Confirm" } : { kind: "Leaves" };
}

interface ParentRef extends ObjectKey {
  readonly kind: string;
  readonly namespace: string;
  readonly type: ResourceType<GitOpsObject>;
}

function parentsOf(object: GitOpsObject, { argoCdNamespace }: GitOpsReader): readonly ParentRef[] {
  const set = object.metadata.ownerReferences?.find(({ kind }) => kind === "ApplicationSet");
  const { namespace: own = "" } = object.metadata;
  const made =
    set === undefined
      ? []
      : [{ kind: "ApplicationSet", namespace: own, name: set.name, type: APPLICATION_SETS }];
  const marked = gitOpsOwners(object).map(({ kind, namespace, name }) => ({
    kind,
    namespace: namespace ?? argoCdNamespace,
    name,
    type: ownerType(kind),
  }));
  return [...made, ...marked];
}

/** For people; what cannot be read ends the list. */
async function namesAbove(first: GitOpsObject, reader: GitOpsReader): Promise<readonly string[]> {
  const names: string[] = [];
  let object: GitOpsObject | undefined = first;
  while (object !== undefined && names.length < LONGEST_CHAIN - 1) {
    const parent: ParentRef | undefined = parentsOf(object, reader)[0];
    if (parent === undefined) break;
    names.push(ownerText(parent));
    object = await readOrUndefined(parent.type, parent, reader);
  }
  return names;
}

async function readOrUndefined(
  type: ResourceType<GitOpsObject>,
  { namespace, name }: ObjectKey,
  { client, signal }: GitOpsReader,
): Promise<GitOpsObject | undefined> {
  try {
    return await client.get(type, { namespace, name }, { signal });
  } catch (error) {
    if (isNotFound(error) || isForbidden(error) || isApiNotServed(error)) return undefined;
    throw error;
  }
}
