import { cutText } from "../kube/conditions.ts";

/** What the schema allows for a plan's warnings; the API server refuses a whole status for one text too long. */
const MOST_WARNINGS = 32;
const LONGEST_WARNING = 1_024;

/** The warnings as a plan may carry them: the first ones, each cut to its longest. */
export function boundedWarnings(warnings: readonly string[]): string[] {
  return warnings.slice(0, MOST_WARNINGS).map((text) => cutText(text, LONGEST_WARNING));
}
