import { isNotFound } from "../../kube/errors.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { explain } from "../errors.ts";
import { EXIT, exitCodeOf, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { labelled } from "../output/table.ts";
import { awaitRequest, SILENCE_MS } from "../request/follow.ts";
import { createRequest, specOf } from "../request/new-request.ts";
import { createProgressPrinter, LABEL_WIDTH, progressOf } from "../request/progress.ts";
import { knownGoodReader } from "../request/run-request.ts";
import { hasEnded, requestPath, type WorkloadName } from "../request/wording.ts";
import { wishOf, type WishOptions } from "./undo.ts";

export interface PlanOptions extends WishOptions {
  readonly timeout: number;
}

/** What `undo` with the same options would do: asked as a dry run, printed, and removed again. */
export async function plan(
  context: CommandContext,
  target: WorkloadName,
  options: PlanOptions,
): Promise<ExitCode> {
  const { session } = context;
  const spec = await specOf(session, wishOf(target, options, true));
  const created = await createRequest(session, target.name, "plan", spec);
  try {
    return await show(context, created.metadata.name, options.timeout);
  } finally {
    await remove(context, created);
  }
}

async function show(context: CommandContext, name: string, timeoutMs: number): Promise<ExitCode> {
  const { session, output, format } = context;
  const awaited = await awaitRequest(session, name, { timeoutMs, onState: hasEnded, onSilence: () => true });
  if (awaited.kind !== "Reached") {
    const after = awaited.kind === "Silent" ? SILENCE_MS : timeoutMs;
    output.note(
      `no plan within ${after / 1_000} s: check that an operator runs, with "kubectl-rollback doctor${session.namespaceFlag}"`,
    );
    return EXIT.TimedOut;
  }
  const { request } = awaited;
  if (isForPrograms(format)) await printObject(output, format, request, requestPath(name));
  const lines = progressOf(request, await knownGoodReader(session)(request), session.clock.now());
  const quiet = { ...output, line: () => {} };
  createProgressPrinter(isForPrograms(format) ? quiet : output)(lines);
  if (!isForPrograms(format)) output.lines(labelled(changesOf(request), LABEL_WIDTH));
  return exitCodeOf(request);
}

function changesOf({ status }: RollbackRequest): readonly (readonly [string, string])[] {
  const steps = status?.plan?.steps ?? [];
  const changes = steps.flatMap(({ name, changes: paths }) =>
    paths.map((path) => (steps.length === 1 ? path : `${name}: ${path}`)),
  );
  return changes.map((path, index) => [index === 0 ? "changes" : "", path] as const);
}

/** Also after an interrupt: what was made only to be read is not left lying about. */
async function remove({ session, output }: CommandContext, { metadata }: RollbackRequest): Promise<void> {
  const { name, uid } = metadata;
  const { client, namespace, namespaceFlag, server } = session;
  const signal = AbortSignal.timeout(5_000);
  try {
    await client.delete(ROLLBACK_REQUESTS, { namespace, name }, { signal, preconditions: { uid } });
  } catch (error) {
    if (isNotFound(error)) return;
    output.note(
      `the dry run was not removed (${explain(error, server)}): kubectl delete rbr ${name}${namespaceFlag}`,
    );
  }
}
