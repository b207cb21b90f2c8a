import type { TemporaryChange } from "../../crds/temporary-change.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import { serviceType, type Service } from "../../kube/well-known.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { readValue } from "../live-value.ts";
import type { BlueGreenSpec } from "./end.ts";
import { selectorDigest, selectorOf, sendColor } from "./selector.ts";

type Objection = Extract<PlanResult<never>, { kind: "Refused" | "Pending" }>;

/** Whoever changes it is done with it soon. */
const CHANGED_POLL_MS = 250;

/** Admission webhooks, policies and missing rights speak up in a dry run of each write. Undefined when nobody objects. */
export async function rehearse(
  service: Service,
  { label, to }: BlueGreenSpec,
  changes: readonly TemporaryChange[],
  context: PlanContext,
): Promise<Objection | undefined> {
  const { executor, namespace, signal } = context;
  const { name } = service.metadata;
  const flip = trial(
    `Service/${name}`,
    () => sendColor(service, { label, color: to }, executor, signal, true),
    async () => {
      const now = await executor.tryGet(serviceType, { namespace, name }, { signal });
      return (
        now?.metadata.uid === service.metadata.uid &&
        selectorDigest(selectorOf(now)) === selectorDigest(selectorOf(service))
      );
    },
  );
  const raises = changes
    .filter(({ found, during }) => found !== during)
    .map((change) =>
      trial(
        change.object,
        async () => (await readValue(change, context))?.send(change.during, true),
        async () => (await readValue(change, context))?.value === change.found,
      ),
    );
  return (await Promise.all([flip, ...raises])).find((objection) => objection !== undefined);
}

async function trial(
  object: string,
  send: () => Promise<unknown>,
  isUnchanged: () => Promise<boolean>,
): Promise<Objection | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    const message = `${object}: the API server would refuse the change: ${errorMessage(error)}`;
    const refusal = { kind: "Refused", reason: "DryRunRefused", message } as const;
    if (isForbidden(error)) return refusal;
    if (!isInvalid(error) && !isNotFound(error)) throw error;
    if (await isUnchanged()) return refusal;
    return {
      kind: "Pending",
      message: `${object} was changed while it was looked at`,
      pollAfterMs: CHANGED_POLL_MS,
    };
  }
}
