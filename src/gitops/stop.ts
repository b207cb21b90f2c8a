import { OWNER_ANNOTATIONS } from "../crds/annotations.ts";
import type { FoundValue, GitOpsOwnerKind } from "../crds/gitops-hold.ts";
import { jsonPatch, jsonPointer, type JsonPatchOperation, type Patch } from "../kube/patch.ts";
import { REFRESH } from "./argo-cd.ts";
import { HELD_PATH, heldBy, heldByOperation, type Holder } from "./held-by.ts";
import { foundIn, isStopped, restoreOperation, setOperation } from "./hold-field.ts";
import type { GitOpsObject } from "./kinds.ts";

/**
 * Stops a tool's object and writes on it who did and what stood there before (`known` where that is recorded elsewhere).
 * One that we stop already gets another name only. Whatever changed since it was read makes the API server refuse it. Pure.
 */
export function stopPatch(
  owner: GitOpsObject,
  { request }: Pick<Holder, "request">,
  known?: FoundValue,
): Patch {
  const kind = owner.kind as GitOpsOwnerKind;
  const held = heldBy(owner);
  const by = [...new Set([...(held?.by ?? []), request])];
  // Stopped without a record: the record was stripped, and what we wrote is not what we found.
  const found = held?.found ?? (isStopped(owner, kind) ? known : undefined) ?? foundIn(owner, kind);
  return jsonPatch(
    ...unchanged(owner),
    setOperation(kind),
    heldByOperation({ found, by }),
    // It tells when the tool has looked at the object as it is from now on.
    ...(kind === "Application" ? [refreshOperation()] : []),
  );
}

/**
 * Takes one name away, and with the last one puts back what was found; undefined where others hold it alone. An object that
 * has lost the record, but not the hold, is put back by `found` as it is known elsewhere. Pure.
 */
export function startPatch(owner: GitOpsObject, request: string, found: FoundValue): Patch | undefined {
  const kind = owner.kind as GitOpsOwnerKind;
  const held = heldBy(owner);
  // What somebody else has set since is theirs.
  const restore = isStopped(owner, kind) ? [restoreOperation(kind, held?.found ?? found)] : [];
  if (held === undefined) {
    const isUnreadable = owner.metadata.annotations?.[OWNER_ANNOTATIONS.held] !== undefined;
    const rest: readonly JsonPatchOperation[] = isUnreadable ? [{ op: "remove", path: HELD_PATH }] : [];
    const operations = [...restore, ...rest];
    return operations.length === 0 ? undefined : jsonPatch(...unchanged(owner), ...operations);
  }
  if (!held.by.includes(request)) return undefined;
  const by = held.by.filter((each) => each !== request);
  if (by.length > 0) return jsonPatch(...unchanged(owner), heldByOperation({ ...held, by }));
  return jsonPatch(...unchanged(owner), ...restore, { op: "remove", path: HELD_PATH });
}

function unchanged({ metadata }: GitOpsObject): readonly JsonPatchOperation[] {
  return [
    { op: "test", path: "/metadata/uid", value: metadata.uid },
    { op: "test", path: "/metadata/resourceVersion", value: metadata.resourceVersion },
  ];
}

function refreshOperation(): JsonPatchOperation {
  return { op: "add", path: jsonPointer("metadata", "annotations", REFRESH), value: "normal" };
}
