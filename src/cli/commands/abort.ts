import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import { mergePatch } from "../../kube/patch.ts";
import { ROLLBACK_REQUESTS } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { hasEnded, requestPath } from "../request/wording.ts";

/** Asks the operator to stop before its next write. */
export async function abort({ session, output, format }: CommandContext, name: string): Promise<ExitCode> {
  const { client, namespace, namespaceFlag, signal } = session;
  const key = { namespace, name };
  const current = await client.get(ROLLBACK_REQUESTS, key, { signal });
  if (hasEnded(current)) {
    throw new CliError(`${name} has ended already (${current.status?.phase}): there is nothing to abort`);
  }
  const patch = mergePatch({ metadata: { annotations: { [REQUEST_ANNOTATIONS.abort]: "true" } } });
  const patched = await client.patch(ROLLBACK_REQUESTS, key, patch, { signal, idempotent: true });
  if (isForPrograms(format)) await printObject(output, format, patched, requestPath(name));
  else {
    output.line(`${requestPath(name)} abort asked`);
    output.note(
      `what was changed already stays; to see how it ends: kubectl-rollback status ${name} --watch${namespaceFlag}`,
    );
  }
  return EXIT.Ok;
}
