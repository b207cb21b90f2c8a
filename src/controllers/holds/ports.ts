import type { Actions } from "../../actions/registry.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { EventRecord } from "../../kube/events.ts";
import type { GitOpsPorts } from "../gitops.ts";
import type { KillSwitchState } from "../kill-switch-state.ts";

/** A hold that has ended. */
export interface EndedHoldFact {
  /** As namespace/name. */
  readonly request: string;
  /** As Kind namespace/name. */
  readonly owner: string;
  readonly result: "Released" | "Lost";
  readonly message: string;
}

/** Everything that ending holds needs from outside. */
export interface HoldPorts {
  /** Acts as the operator itself. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly actions: Actions;
  readonly gitOps: GitOpsPorts;
  readonly killSwitch: () => KillSwitchState;
  readonly record: (event: EventRecord) => void;
  readonly onEnded: (fact: EndedHoldFact) => void;
}
