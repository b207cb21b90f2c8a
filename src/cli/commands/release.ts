import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import { hasOpenHolds } from "../../controllers/request/phase.ts";
import { ownerText } from "../../gitops/owner.ts";
import { mergePatch } from "../../kube/patch.ts";
import { ROLLBACK_REQUESTS } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { awaitRequest } from "../request/follow.ts";
import { hasEnded, requestPath } from "../request/wording.ts";

/** An operator that runs ends a hold within a second or two. */
const RELEASE_MS = 15_000;

/** Lets Git win: ends what the request stops, wherever Git stands. */
export async function release({ session, output, format }: CommandContext, name: string): Promise<ExitCode> {
  const { client, namespace, namespaceFlag, signal } = session;
  const key = { namespace, name };
  const current = await client.get(ROLLBACK_REQUESTS, key, { signal });
  if (!hasOpenHolds(current)) throw new CliError(`${name} holds nothing: there is nothing to release`);
  if (!hasEnded(current)) {
    throw new CliError(
      `${name} is not finished: wait for its end, or "kubectl-rollback abort ${name}${namespaceFlag}"`,
    );
  }
  const patch = mergePatch({ metadata: { annotations: { [REQUEST_ANNOTATIONS.release]: "true" } } });
  const asked = await client.patch(ROLLBACK_REQUESTS, key, patch, { signal, idempotent: true });
  const awaited = await awaitRequest(session, name, {
    timeoutMs: RELEASE_MS,
    onState: (state) => !hasOpenHolds(state),
    onSilence: () => true,
  });
  const last = awaited.kind === "Reached" ? awaited.request : asked;
  if (isForPrograms(format)) await printObject(output, format, last, requestPath(name));
  else if (hasOpenHolds(last)) {
    output.line(`${requestPath(name)} release asked`);
    output.note(`to see when it is done: kubectl-rollback status ${name}${namespaceFlag}`);
  } else {
    for (const hold of last.status?.holds ?? [])
      output.line(`${ownerText(hold)}: ${hold.message ?? hold.state}`);
  }
  return EXIT.Ok;
}
