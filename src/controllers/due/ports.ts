import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { EventRecord } from "../../kube/events.ts";
import type { KillSwitchState } from "../kill-switch-state.ts";
import type { TargetLocks } from "../request/target-lock.ts";

/** A temporary change that was finished, or given up. */
export interface DueFact {
  /** As namespace/name. */
  readonly request: string;
  readonly step: string;
  readonly executor: string;
  /** As namespace/Kind/name. */
  readonly object: string;
  readonly result: "Finished" | "Kept";
  readonly message: string;
}

/** Everything that finishing temporary changes needs from outside. */
export interface DuePorts {
  /** Acts as the operator itself. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly locks: TargetLocks;
  readonly killSwitch: () => KillSwitchState;
  readonly record: (event: EventRecord) => void;
  readonly onFinished: (fact: DueFact) => void;
}
