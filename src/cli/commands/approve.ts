import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { annotateRequest, requestToAnswer } from "../request/answer.ts";
import { awaitRequest } from "../request/follow.ts";
import { userName } from "../request/new-request.ts";
import { createProgressPrinter, planLines } from "../request/progress.ts";
import { knownGoodReader, runRequest } from "../request/run-request.ts";
import { hasEnded, requestPath } from "../request/wording.ts";

export interface ApproveOptions {
  /** The plan that is meant, or the beginning of its digest. */
  readonly digest?: string;
  readonly wait: boolean;
  readonly timeout: number;
}

/** An operator that runs shows the plan of a new request within a second. */
const PLAN_MS = 10_000;

/** Approves the plan that it shows. Another plan than that one is not approved, whenever it changes. */
export async function approve(
  context: CommandContext,
  name: string,
  options: ApproveOptions,
): Promise<ExitCode> {
  const { session, output, format } = context;
  const request = await planned(context, await requestToAnswer(session, name));
  const digest = request.status?.plan?.digest ?? "";
  const { namespaceFlag, clock } = session;
  if (options.digest !== undefined && !digest.startsWith(options.digest)) {
    throw new CliError(
      `${name} does not have plan ${options.digest} any more, but ${digest}: see what changed with "kubectl-rollback status ${name}${namespaceFlag}", then approve that one`,
    );
  }
  const [by, knownGood] = await Promise.all([userName(session), knownGoodReader(session)(request)]);
  const approved = await annotateRequest(session, request, {
    [REQUEST_ANNOTATIONS.approve]: digest,
    [REQUEST_ANNOTATIONS.approvedBy]: by ?? null,
  });
  if (isForPrograms(format) && !options.wait) await printObject(output, format, approved, requestPath(name));
  if (isForPrograms(format)) return options.wait ? follow(context, name, options) : EXIT.Ok;
  createProgressPrinter(output)(planLines(request, knownGood, clock.now()));
  output.line(`${requestPath(name)} approved: plan ${digest}`);
  if (options.wait) return follow(context, name, options);
  output.note(`to see how it goes: kubectl-rollback status ${name} --watch${namespaceFlag}`);
  return EXIT.Ok;
}

function follow({ session, output, format }: CommandContext, name: string, options: ApproveOptions) {
  return runRequest(session, output, name, { wait: true, timeoutMs: options.timeout, format });
}

/** A request that was just made has no plan for a moment. */
async function planned({ session }: CommandContext, request: RollbackRequest): Promise<RollbackRequest> {
  if (request.status?.plan !== undefined) return request;
  const { name } = request.metadata;
  const awaited = await awaitRequest(session, name, {
    timeoutMs: PLAN_MS,
    onState: (state) => state.status?.plan !== undefined || hasEnded(state),
    onSilence: () => true,
  });
  if (awaited.kind === "Reached" && awaited.request.status?.plan !== undefined && !hasEnded(awaited.request))
    return awaited.request;
  throw new CliError(
    `${name} shows no plan that could be approved: see "kubectl-rollback status ${name}${session.namespaceFlag}"`,
  );
}
