import { POLICY_ANNOTATIONS } from "../../crds/annotations.ts";
import { isNotFound } from "../../kube/errors.ts";
import { mergePatch } from "../../kube/patch.ts";
import { ROLLBACK_POLICIES } from "../../kube/rollback-kinds.ts";
import type { CommandContext } from "../command-context.ts";
import { CliError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { clockTime } from "../output/age.ts";
import { isForPrograms, printObject } from "../output/objects.ts";

export interface HotfixOptions {
  /** From now, ms; undefined with --cancel. */
  readonly eta?: number;
  readonly cancel: boolean;
}

/** Tells the operator that a fix is on its way: rollbacks that are not urgent wait for it. */
export async function hotfix(
  { session, output, format }: CommandContext,
  name: string,
  { eta }: HotfixOptions,
): Promise<ExitCode> {
  const { client, namespace, namespaceFlag, clock, signal } = session;
  // Whole seconds: the annotation is read by people too.
  const at = eta === undefined ? null : `${new Date(clock.now() + eta).toISOString().slice(0, 19)}Z`;
  const patch = mergePatch({ metadata: { annotations: { [POLICY_ANNOTATIONS.hotfixEta]: at } } });
  const policy = await client
    .patch(ROLLBACK_POLICIES, { namespace, name }, patch, { signal, idempotent: true })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      const message = `RollbackPolicy ${name} does not exist in namespace ${namespace}: "kubectl get rbp${namespaceFlag}" lists them`;
      throw new CliError(message, { cause: error });
    });
  const path = `rollbackpolicy.rollback.llm-research-lab.io/${name}`;
  if (isForPrograms(format)) await printObject(output, format, policy, path);
  else if (at === null) output.line(`${path} no hotfix is announced any more`);
  else {
    output.line(`${path} hotfix announced for ${clockTime(at, clock.now(), true)}`);
    output.note(
      `rollbacks of SEV1 and SEV2 do not wait for it, others at most 15m after their row fires; to take it back: kubectl-rollback hotfix ${name} --cancel${namespaceFlag}`,
    );
  }
  return EXIT.Ok;
}
