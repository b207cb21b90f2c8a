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

/**
 * The first object whose annotation forbids every act, as `Kind/name`. Any value but "false" does, like the kill switch:
 * somebody who mistypes "true" wants nothing to move.
 */
export function frozenBy(objects: readonly Annotated[]): string | undefined {
  const frozen = objects.find(({ metadata }) => {
    const value = metadata.annotations?.[FREEZE] ?? "false";
    return value.trim().toLowerCase() !== "false";
  });
  return frozen === undefined ? undefined : `${frozen.kind}/${frozen.metadata.name}`;
}

/** When a hotfix is expected, ms since the epoch: the latest time that somebody wrote. What is no time is no hotfix. */
export function hotfixEta(objects: readonly Annotated[]): number | undefined {
  const times = objects.flatMap(({ metadata }) => parseTime(metadata.annotations?.[HOTFIX_ETA] ?? "") ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** One sentence for each annotation that cannot be read. */
export function annotationProblems(objects: readonly Annotated[]): readonly string[] {
  return objects.flatMap(({ kind, metadata }) => {
    const text = metadata.annotations?.[HOTFIX_ETA];
    return text === undefined || parseTime(text) !== undefined
      ? []
      : [
          `annotation ${HOTFIX_ETA} of ${kind}/${metadata.name} is no time such as 2026-11-22T14:30:00Z, and is ignored`,
        ];
  });
}

const RFC_3339 =
  /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** An instant of RFC 3339, ms since the epoch. `Date.parse` alone takes "soon 1", and 30 February for 2 March. */
function parseTime(text: string): number | undefined {
  const day = RFC_3339.exec(text)?.[1];
  if (day === undefined) return undefined;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  return Date.parse(text);
}
