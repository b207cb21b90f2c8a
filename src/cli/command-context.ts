import type { Format } from "./output/objects.ts";
import type { Output } from "./output/output.ts";
import type { Session } from "./session.ts";

/** What every command that needs a cluster gets. */
export interface CommandContext {
  readonly session: Session;
  readonly output: Output;
  readonly format: Format | undefined;
}
