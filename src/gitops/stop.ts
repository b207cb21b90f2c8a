import type { GitOpsOwnerKind } from "../crds/gitops-hold.ts";
import { jsonPatch, jsonPointer, type JsonPatchOperation, type Patch } from "../kube/patch.ts";
import { REFRESH } from "./argo-cd.ts";
import { HELD_PATH, heldBy, heldByOperation, type Holder } from "./held-by.ts";
import { foundIn, isStopped, restoreOperation, setOperation } from "./hold-field.ts";
import type { GitOpsObject } from "./kinds.ts";

/**
 * Stops a tool's object and writes on it who did and what stood there before. One that we stop already gets another name
 * only. Whatever changed since it was read makes the API server refuse it. Pure.
 */
export function stopPatch(owner: GitOpsObject, { request }: Pick<Holder, "request">): Patch {
  const kind = owner.kind as GitOpsOwnerKind;
  const held = heldBy(owner);
  const by = [...new Set([...(held?.by ?? []), request])];
  const found = held?.found ?? foundIn(owner, kind);
  return jsonPatch(
    ...unchanged(owner),
    setOperation(kind),
    heldByOperation({ found, by }),
    // It tells when the tool has looked at the object as it is from now on.
    ...(kind === "Application" ? [refreshOperation()] : []),
  );
}

/** Takes one name away, and with the last one puts back what was found; undefined where the name is not there. Pure. */
export function startPatch(owner: GitOpsObject, request: string): Patch | undefined {
  const kind = owner.kind as GitOpsOwnerKind;
  const held = heldBy(owner);
  if (held === undefined || !held.by.includes(request)) return undefined;
  const by = held.by.filter((each) => each !== request);
  if (by.length > 0) return jsonPatch(...unchanged(owner), heldByOperation({ ...held, by }));
  // What somebody else has set since is theirs.
  const restore = isStopped(owner, kind) ? restoring(owner, held.found) : [];
  return jsonPatch(...unchanged(owner), ...restore, { op: "remove", path: HELD_PATH });
}

function restoring(owner: GitOpsObject, found: Parameters<typeof restoreOperation>[1]): JsonPatchOperation[] {
  return [restoreOperation(owner.kind as GitOpsOwnerKind, found)];
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
