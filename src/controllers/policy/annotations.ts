import { POLICY_ANNOTATIONS } from "../../crds/annotations.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Deployment } from "../../kube/well-known.ts";

export const { freeze: FREEZE, hotfixEta: HOTFIX_ETA } = POLICY_ANNOTATIONS;

interface Annotated {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
}

/** The objects that people annotate to hold or to announce something. */
export function annotated(policy: RollbackPolicy, deployment: Deployment | undefined): readonly Annotated[] {
  const target = deployment === undefined ? [] : [{ kind: "Deployment", metadata: deployment.metadata }];
  return [{ kind: "RollbackPolicy", metadata: policy.metadata }, ...target];
}

/** The first object whose annotation forbids every act, as `Kind/name`. */
export function frozenBy(objects: readonly Annotated[]): string | undefined {
  const frozen = objects.find(({ metadata }) => metadata.annotations?.[FREEZE] === "true");
  return frozen === undefined ? undefined : `${frozen.kind}/${frozen.metadata.name}`;
}

/** When a hotfix is expected, ms since the epoch: the latest time that somebody wrote. What is no time is no hotfix. */
export function hotfixEta(objects: readonly Annotated[]): number | undefined {
  const times = objects
    .map(({ metadata }) => Date.parse(metadata.annotations?.[HOTFIX_ETA] ?? ""))
    .filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : Math.max(...times);
}

/** One sentence for each annotation that cannot be read. */
export function annotationProblems(objects: readonly Annotated[]): readonly string[] {
  return objects.flatMap(({ kind, metadata }) => {
    const text = metadata.annotations?.[HOTFIX_ETA];
    return text === undefined || !Number.isNaN(Date.parse(text))
      ? []
      : [
          `annotation ${HOTFIX_ETA} of ${kind}/${metadata.name} is no time such as 2026-11-22T14:30:00Z, and is ignored`,
        ];
  });
}
