import { isNotFound } from "../../kube/errors.ts";
import { mergePatch } from "../../kube/patch.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { CliError } from "../errors.ts";
import type { Session } from "../session.ts";
import { hasEnded } from "./wording.ts";

/** The request that is to be answered. Throws CliError where it does not wait for an answer. */
export async function requestToAnswer(session: Session, name: string): Promise<RollbackRequest> {
  const { client, namespace, namespaceFlag, signal } = session;
  const request = await client
    .get(ROLLBACK_REQUESTS, { namespace, name }, { signal })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      const message = `RollbackRequest ${name} does not exist in namespace ${namespace}: "kubectl get rbr${namespaceFlag}" lists them`;
      throw new CliError(message, { cause: error });
    });
  const { spec, status } = request;
  if (hasEnded(request))
    throw new CliError(`${name} has ended already (${status?.phase}): nobody waits for an answer`);
  if (spec.approval !== "Required") {
    throw new CliError(
      `${name} does not ask for approval (spec.approval: Auto); to stop it: kubectl-rollback abort ${name}${namespaceFlag}`,
    );
  }
  if (status?.phase === "Applying" || status?.phase === "Verifying") {
    throw new CliError(
      `${name} was approved and runs (${status.phase}); to stop it: kubectl-rollback abort ${name}${namespaceFlag}`,
    );
  }
  return request;
}

/** Writes annotations on just this object; null takes one away. Throws KubeError. */
export function annotateRequest(
  { client, namespace, signal }: Session,
  { metadata: { name, uid } }: RollbackRequest,
  annotations: Readonly<Record<string, string | null>>,
): Promise<RollbackRequest> {
  const patch = mergePatch({ metadata: { uid, annotations } });
  return client.patch(ROLLBACK_REQUESTS, { namespace, name }, patch, { signal, idempotent: true });
}
