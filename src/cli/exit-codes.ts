import type { RollbackRequest } from "../kube/rollback-kinds.ts";

/** What scripts can rely on; documented in docs/cli.md. */
export const EXIT = {
  Ok: 0,
  Failed: 1,
  Usage: 2,
  NotVerified: 3,
  TimedOut: 4,
  /** As shells report SIGINT. */
  Interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends that changed nothing because nothing was to be changed: there is nothing to verify. */
const WITHOUT_CHANGE: ReadonlySet<string> = new Set(["DryRun", "NothingToDo"]);

/** How a request ended, as an exit code; Ok while it still runs. */
export function exitCodeOf({ status }: Pick<RollbackRequest, "status">): ExitCode {
  const condition = (type: string) => status?.conditions?.find((each) => each.type === type);
  switch (status?.phase) {
    case "Failed":
    case "Compensated":
    case "Superseded":
    case "Denied":
    case "Expired":
    case "Aborted":
      return EXIT.Failed;
    case "Succeeded": {
      const unchanged = WITHOUT_CHANGE.has(condition("Ready")?.reason ?? "");
      return unchanged || condition("Verified")?.status === "True" ? EXIT.Ok : EXIT.NotVerified;
    }
    case "Pending":
    case "Planning":
    case "AwaitingApproval":
    case "Applying":
    case "Verifying":
    case undefined:
      return EXIT.Ok;
  }
}
