import type { Command, Option } from "commander";
import type { ResourceType } from "../kube/objects.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS } from "../kube/rollback-kinds.ts";
import { WORKLOAD_TYPES } from "../workloads/workload.ts";
import type { Session, SessionOptions } from "./session.ts";

/** Name of the argument that stands for a workload, in help and completion. */
export const WORKLOAD_ARGUMENT = "deploy|sts|ds/NAME";

/** Name of the argument that stands for a policy. */
export const POLICY_ARGUMENT = "POLICY";

/** What may stand at the end of a command line. */
export type Completion =
  | { readonly kind: "Words"; readonly words: readonly string[] }
  | { readonly kind: "Workloads"; readonly session: SessionOptions }
  | { readonly kind: "Requests"; readonly session: SessionOptions }
  | { readonly kind: "Policies"; readonly session: SessionOptions };

/** What completes the last of `words`, the words after the program's name. Pure. */
export function completionOf(program: Command, words: readonly string[]): Completion {
  const typed = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const scan = scanWords(program, typed);
  const { command, options, positionals, pending } = scan;
  if (pending !== undefined) return matching(pending.argChoices ?? [], current);
  if (current.startsWith("-")) {
    return matching(
      options.flatMap(({ long, hidden }) => (long === undefined || hidden ? [] : [long])),
      current,
    );
  }
  if (command === program) {
    const names = program.commands.map((each) => each.name()).filter((name) => !name.startsWith("_"));
    return matching(names, current);
  }
  const argument = command.registeredArguments[positionals];
  if (argument === undefined) return matching([], current);
  if (argument.argChoices !== undefined) return matching(argument.argChoices, current);
  return { kind: kindOf(argument.name()), session: scan.session };
}

function kindOf(argument: string) {
  if (argument === WORKLOAD_ARGUMENT) return "Workloads";
  return argument === POLICY_ARGUMENT ? "Policies" : "Requests";
}

interface Scan {
  readonly command: Command;
  readonly options: readonly Option[];
  readonly positionals: number;
  /** An option whose value comes next. */
  readonly pending: Option | undefined;
  readonly session: SessionOptions;
}

function scanWords(program: Command, words: readonly string[]): Scan {
  let command = program;
  let positionals = 0;
  let pending: Option | undefined;
  const values: Record<string, string> = {};
  for (const word of words) {
    if (pending !== undefined) {
      values[pending.attributeName()] = word;
      pending = undefined;
    } else if (word.startsWith("-")) {
      const [flag, value] = word.split("=", 2);
      const option = [...command.options, ...program.options].find(
        ({ long, short }) => flag === long || flag === short,
      );
      if (option?.required !== true) continue;
      if (value === undefined) pending = option;
      else values[option.attributeName()] = value;
    } else if (command === program) {
      command = program.commands.find((each) => each.name() === word) ?? program;
    } else positionals += 1;
  }
  const { kubeconfig, context, namespace } = values;
  const options = command === program ? program.options : [...command.options, ...program.options];
  return { command, options, positionals, pending, session: { kubeconfig, context, namespace } };
}

function matching(words: readonly string[], current: string): Completion {
  return { kind: "Words", words: words.filter((word) => word.startsWith(current)) };
}

/** What comes before the names, and whose names; Deployments, unless another kind was begun. */
function typed(
  kind: "Workloads" | "Requests" | "Policies",
  current: string,
): readonly [string, ResourceType] {
  if (kind === "Requests") return ["", ROLLBACK_REQUESTS];
  if (kind === "Policies") return ["", ROLLBACK_POLICIES];
  if (current.startsWith("sts/")) return ["sts/", WORKLOAD_TYPES.StatefulSet];
  if (current.startsWith("ds/")) return ["ds/", WORKLOAD_TYPES.DaemonSet];
  if (current.startsWith("rollout/")) return ["rollout/", WORKLOAD_TYPES.Rollout];
  return ["deploy/", WORKLOAD_TYPES.Deployment];
}

/** Names of objects for a completion. A shell waits for it, so it gives up early. Throws KubeError. */
export async function objectWords(
  kind: "Workloads" | "Requests" | "Policies",
  { client, namespace, signal }: Session,
  current: string,
): Promise<readonly string[]> {
  const [prefix, type] = typed(kind, current);
  const options = { namespace, signal, deadlineMs: 2_000, mayBeBehind: true };
  const { items } = await client.list(type, options);
  return items.map(({ metadata }) => `${prefix}${metadata.name}`).filter((word) => word.startsWith(current));
}
