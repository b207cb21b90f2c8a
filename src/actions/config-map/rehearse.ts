import { contentOf, withoutValues, type Content } from "../../config-maps/content.ts";
import { replacementOf, type Replacement } from "../../config-maps/replacement.ts";
import { contentDigest } from "../../config-maps/content.ts";
import { errorMessage, isConflict, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import { missingRights } from "../../kube/missing-rights.ts";
import { objectKey } from "../../kube/objects.ts";
import { configMapType, type ConfigMap } from "../../kube/well-known.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";
import { sendContent } from "./write.ts";

/** Whoever changes it is done with it soon. */
const CHANGED_POLL_MS = 250;

type Unplannable = Exclude<PlanResult<never>, { readonly kind: "Planned" }>;

/** Admission webhooks and policies speak up in a dry run. Undefined when nobody objects. Throws KubeError. */
export async function rehearse(
  map: ConfigMap,
  to: Content,
  context: PlanContext,
): Promise<Unplannable | undefined> {
  const lack = map.immutable === true ? await lackOfDeletion(map, context) : undefined;
  if (lack !== undefined) return lack;
  try {
    if (map.immutable === true) await tryReplacement(map, to, context);
    else await sendContent(map, to, context, true);
    return undefined;
  } catch (error) {
    const { name } = map.metadata;
    const isRefusal = isForbidden(error) || isInvalid(error);
    if (!isRefusal && !isNotFound(error) && !isConflict(error)) throw error;
    const now = await context.executor.tryGet(configMapType, objectKey(map), { signal: context.signal });
    if (isRefusal && now?.metadata.resourceVersion === map.metadata.resourceVersion) {
      const words = withoutValues(errorMessage(error), contentOf(map), to);
      return {
        kind: "Refused",
        reason: "DryRunRefused",
        message: `ConfigMap/${name}: the API server would refuse the change: ${words}`,
      };
    }
    return {
      kind: "Pending",
      message: `ConfigMap/${name} was changed while it was looked at`,
      pollAfterMs: CHANGED_POLL_MS,
    };
  }
}

/** Only an immutable one is deleted, and that is known only now. */
async function lackOfDeletion(
  { metadata: { name } }: ConfigMap,
  { executor, executorName, namespace, signal }: PlanContext,
): Promise<Unplannable | undefined> {
  // Without a name for the record of the replacement.
  const right = { apiGroup: "", resource: "configmaps", verb: "delete" };
  const lack = await missingRights(executor, namespace, [right], signal);
  if (lack === undefined) return undefined;
  return {
    kind: "Refused",
    reason: "AccessDenied",
    message: `ConfigMap/${name} is immutable, so it must be deleted and created anew: ServiceAccount ${namespace}/${executorName} ${lack}`,
  };
}

/** Both halves; the new one under a name that is free, since the old one is there. */
async function tryReplacement(map: ConfigMap, to: Content, context: PlanContext): Promise<void> {
  const { executor, namespace, signal } = context;
  const { name, uid, resourceVersion } = map.metadata;
  const replacement: Replacement = { name, uid, digest: contentDigest(name, to) };
  const object = replacementOf(replacement, namespace, map.metadata, to);
  const { name: _, ...unnamed } = object.metadata;
  const metadata = { ...unnamed, generateName: `${name.slice(0, 200)}-` };
  await executor.create(
    configMapType,
    { ...object, metadata },
    { signal, dryRun: true, fieldManager: FIELD_MANAGER },
  );
  const preconditions = { uid, resourceVersion };
  await executor.delete(configMapType, objectKey(map), { signal, dryRun: true, preconditions });
}
