/** The plan of a policy that names none: its target to the last known good revision. */
export const DEFAULT_PLAN = "application";
