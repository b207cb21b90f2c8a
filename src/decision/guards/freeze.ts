import type { Row } from "../row.ts";
import { clockTime } from "../sentence.ts";
import { ALLOWED, refused, type GuardInput, type GuardResult, type OpenFreeze } from "./guard.ts";

/** The annotation `freeze`: somebody works on it and wants nothing to move. */
export function nobodyFrozeIt({ frozenBy }: GuardInput): GuardResult {
  return frozenBy === undefined
    ? ALLOWED
    : refused(
        "Frozen",
        `${frozenBy} has the annotation rollback.llm-research-lab.io/freeze: remove it to allow automatic rollbacks`,
      );
}

/** The row is looked at only where a window is open: without one the answer is the same for all rows. */
export function noFreezeWindowIsOpen(
  input: Pick<GuardInput, "openFreezes" | "now"> & {
    readonly evaluation: { readonly row: Pick<Row, "severity"> };
  },
): GuardResult {
  const { openFreezes, now } = input;
  const holding = openFreezes
    .filter(({ allow }) => allow.length === 0 || !allow.includes(input.evaluation.row.severity))
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
