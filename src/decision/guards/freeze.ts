import type { Row } from "../row.ts";
import { clockTime } from "../sentence.ts";
import { ALLOWED, refused, type GuardInput, type GuardResult, type OpenFreeze } from "./guard.ts";

/** The annotation `freeze: "true"`: somebody works on it and wants nothing to move. */
export function nobodyFrozeIt({ frozenBy }: GuardInput): GuardResult {
  return frozenBy === undefined
    ? ALLOWED
    : refused(
        "Frozen",
        `${frozenBy} has the annotation rollback.llm-research-lab.io/freeze: remove it to allow automatic rollbacks`,
      );
}

export function noFreezeWindowIsOpen({
  openFreezes,
  evaluation,
  now,
}: Pick<GuardInput, "openFreezes" | "now"> & {
  readonly evaluation: { readonly row: Pick<Row, "severity"> };
}): GuardResult {
  const { severity } = evaluation.row;
  const holding = openFreezes
    .filter(({ allow }) => !allow.includes(severity))
    .toSorted((a, b) => b.until - a.until)[0];
  return holding === undefined
    ? ALLOWED
    : refused(
        "Frozen",
        `inside the freeze window "${holding.name}"${allowed(holding)}: allowed from ${clockTime(holding.until, now)}`,
        holding.until,
      );
}

function allowed({ allow }: OpenFreeze): string {
  return allow.length === 0 ? "" : `, which only ${allow.join(" and ")} may break`;
}
