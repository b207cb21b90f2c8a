import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { isForPrograms, printObject } from "../output/objects.ts";
import { annotateRequest, requestToAnswer } from "../request/answer.ts";
import { userName } from "../request/new-request.ts";
import { requestPath } from "../request/wording.ts";

export interface DenyOptions {
  readonly reason: string;
}

/** Ends a request that waits for approval; the reason stands in its status. */
export async function deny(
  { session, output, format }: CommandContext,
  name: string,
  { reason }: DenyOptions,
): Promise<ExitCode> {
  const [request, by] = await Promise.all([requestToAnswer(session, name), userName(session)]);
  const denied = await annotateRequest(session, request, {
    [REQUEST_ANNOTATIONS.deny]: reason,
    [REQUEST_ANNOTATIONS.deniedBy]: by ?? null,
  });
  if (isForPrograms(format)) await printObject(output, format, denied, requestPath(name));
  else output.line(`${requestPath(name)} denied: ${reason}`);
  return EXIT.Ok;
}
