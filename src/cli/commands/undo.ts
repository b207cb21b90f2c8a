import type { Severity } from "../../crds/common.ts";
import type { ImagePin } from "../../crds/steps.ts";
import { destinationOf, type Strategy } from "../arguments.ts";
import type { CommandContext } from "../command-context.ts";
import type { ExitCode } from "../exit-codes.ts";
import { createRequest, specOf, type Wish } from "../request/new-request.ts";
import { runRequest } from "../request/run-request.ts";
import type { WorkloadName } from "../request/wording.ts";

/** Options that say what is to be undone; those of `plan` too. */
export interface WishOptions {
  readonly toRevision?: number;
  readonly to?: Strategy;
  readonly image?: ImagePin;
  readonly reason: string;
  /** False after --no-policy. */
  readonly policy?: string | boolean;
  readonly serviceAccount?: string;
  readonly severity?: Severity;
  readonly expect?: string;
}

export interface UndoOptions extends WishOptions {
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

/** Asks for a rollback and shows what becomes of it. */
export async function undo(
  { session, output, format }: CommandContext,
  target: WorkloadName,
  options: UndoOptions,
): Promise<ExitCode> {
  const spec = await specOf(session, wishOf(target, options, options.dryRun));
  const { metadata } = await createRequest(session, target.name, "undo", spec);
  // A dry run ends within moments of its plan: its outcome is the answer.
  const wait = options.wait || options.dryRun;
  return runRequest(session, output, metadata.name, { wait, timeoutMs: options.timeout, format });
}

export function wishOf(target: WorkloadName, options: WishOptions, dryRun: boolean): Wish {
  const { policy } = options;
  return {
    target,
    to: destinationOf(options.toRevision, options.to, options.image),
    reason: options.reason,
    // Commander says true where only --no-policy exists and was not given.
    policy: policy === true ? undefined : policy,
    serviceAccountName: options.serviceAccount,
    severity: options.severity,
    expect: options.expect,
    dryRun,
  };
}
