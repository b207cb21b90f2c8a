import type { PolicySignal } from "../../crds/rollback-policy.ts";
import type { RowSpec } from "../../decision/matrix.ts";
import { MOST_DEATHS } from "../../signals/pods/deaths.ts";

/** Values that a source can give at all; a free query can give any. */
interface Bounds {
  readonly lowest: number;
  readonly highest: number;
  readonly what: string;
}

/**
 * Rows whose threshold lies where no value of their signal can be, so that they never fire, or whatever the service does.
 * One sentence each. Pure.
 */
export function impossibleRows(
  matrix: readonly RowSpec[],
  signals: readonly PolicySignal[],
): readonly string[] {
  const bounds = new Map(signals.map((signal) => [signal.name, boundsOf(signal)]));
  return matrix.flatMap(({ name, when }) => {
    const known = bounds.get(when.signal);
    const why = known === undefined ? undefined : problemOf(when, known);
    return why === undefined ? [] : [`matrix row ${name}: ${why}`];
  });
}

function boundsOf({ prometheus, pods }: PolicySignal): Bounds | undefined {
  if (pods?.terminated !== undefined) {
    return { lowest: 0, highest: MOST_DEATHS, what: `0 to ${MOST_DEATHS} deaths are counted` };
  }
  if (prometheus === undefined) {
    return { lowest: 0, highest: Infinity, what: "what is counted is not negative" };
  }
  if (prometheus.ratio !== undefined) {
    return { lowest: 0, highest: 1, what: 'a ratio lies between 0 and 1 (5 % is "0.05")' };
  }
  if (prometheus.quantile !== undefined) {
    return { lowest: 0, highest: Infinity, what: "a quantile of a histogram is not negative" };
  }
  return undefined;
}

function problemOf({ above, below }: RowSpec["when"], { lowest, highest, what }: Bounds): string | undefined {
  if (above !== undefined) {
    if (Number(above) >= highest) return `above ${above} never fires: ${what}`;
    if (Number(above) < lowest) return `above ${above} always fires: ${what}`;
  }
  if (below !== undefined) {
    if (Number(below) <= lowest) return `below ${below} never fires: ${what}`;
    if (Number(below) > highest) return `below ${below} always fires: ${what}`;
  }
  return undefined;
}
