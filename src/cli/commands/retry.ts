import { ROLLBACK_REQUESTS } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import type { ExitCode } from "../exit-codes.ts";
import { createRequest, userName } from "../request/new-request.ts";
import { runRequest } from "../request/run-request.ts";
import { hasEnded } from "../request/wording.ts";

export interface RetryOptions {
  readonly wait: boolean;
  readonly timeout: number;
}

/** Asks again for what a finished request asked for, under a new name: a spec is frozen, an attempt is one object. */
export async function retry(
  { session, output, format }: CommandContext,
  name: string,
  options: RetryOptions,
): Promise<ExitCode> {
  const { client, namespace, namespaceFlag, signal } = session;
  const [old, requestedBy] = await Promise.all([
    client.get(ROLLBACK_REQUESTS, { namespace, name }, { signal }),
    userName(session),
  ]);
  if (!hasEnded(old)) {
    throw new CliError(
      `${name} is not over (${old.status?.phase ?? "not seen by an operator yet"}): wait for it, or first "kubectl-rollback abort ${name}${namespaceFlag}"`,
    );
  }
  // Whoever asked before does not ask now.
  const { requestedBy: _, ...asked } = old.spec;
  const spec = { ...asked, ...(requestedBy === undefined ? {} : { requestedBy }) };
  const base = name.replace(/-(undo|plan|retry)-[a-z0-9]{5}$/, "");
  const { metadata } = await createRequest(session, base, "retry", spec);
  return runRequest(session, output, metadata.name, {
    wait: options.wait || spec.dryRun,
    timeoutMs: options.timeout,
    format,
  });
}
