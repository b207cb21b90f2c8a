import type { PlannedStep } from "../../src/crds/rollback-request.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import type { Shop } from "../support/shop.ts";
import type { World } from "../support/world.ts";

/** Where a case plays. */
export interface Stage {
  readonly world: World;
  readonly shop: Shop;
}

/** One row: how to put an action to the test. */
export interface ActionCase<Spec> {
  /** What is special about it, for the title. */
  readonly title: string;
  /** Shipped roles that it needs besides the one that is named as the action. */
  readonly roles?: readonly string[];
  /** Other objects must be made ready before the one change: the act takes several calls of `apply`. */
  readonly prepares?: boolean;
  /** Makes an object of this name in a state where the step has something to do, and says what the step is. */
  open(stage: Stage, name: string): Promise<Spec>;
  /** The object that the step writes; its generation counts the changes, unless `changes` does. */
  live(stage: Stage, name: string): Promise<KubeObject>;
  /** How often the object was changed so far, for kinds without a generation. */
  readonly changes?: (stage: Stage, name: string) => Promise<number>;
  /** The write of the act that meets a change by somebody else; a patch unless it is said. */
  readonly decisiveVerb?: string;
  /** Writes to the object that one act takes; 1 unless it is said. */
  readonly writesOfAct?: number;
  /** The part of it that the step changes, as the API server stores it. */
  part(object: KubeObject): unknown;
  /** Whether the step's change is in place. */
  hasArrived(object: KubeObject, plan: PlannedStep): boolean;
  /** What other people do to that part, by what it is called. */
  readonly foreignChanges: Readonly<Record<string, (stage: Stage, name: string) => Promise<unknown>>>;
}
