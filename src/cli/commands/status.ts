import { isNotFound } from "../../kube/errors.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import { exitCodeOf, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { knownGoodReader, runRequest } from "../request/run-request.ts";
import { statusText } from "../request/status-text.ts";
import { hasEnded, requestPath } from "../request/wording.ts";

export interface StatusOptions {
  readonly watch: boolean;
  readonly timeout: number;
}

/** One request on one screen; with `watch` its progress first, until it ends. */
export async function status(
  context: CommandContext,
  name: string,
  options: StatusOptions,
): Promise<ExitCode> {
  const { session, output, format } = context;
  const request = await requestOf(context, name);
  if (options.watch && !hasEnded(request)) {
    const code = await runRequest(session, output, name, { wait: true, timeoutMs: options.timeout, format });
    return code;
  }
  if (isForPrograms(format)) await printObject(output, format, request, requestPath(name));
  else {
    const { clock, namespaceFlag } = session;
    const knownGood = await knownGoodReader(session)(request);
    output.lines(
      statusText(request, { knownGood, now: clock.now(), colours: output.colours, namespaceFlag }),
    );
  }
  return exitCodeOf(request);
}

async function requestOf({ session }: CommandContext, name: string): Promise<RollbackRequest> {
  const { client, namespace, namespaceFlag, signal } = session;
  try {
    return await client.get(ROLLBACK_REQUESTS, { namespace, name }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CliError(
      `RollbackRequest ${name} does not exist in namespace ${namespace}: "kubectl get rbr${namespaceFlag}" lists them`,
      { cause: error },
    );
  }
}
