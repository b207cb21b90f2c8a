import type { KubeObject, ResourceType } from "../kube/objects.ts";
import { isWithin, mayReach, type Destination } from "./destination.ts";
import type { Role } from "./shift-weights.ts";

/** A rule of a route as it stands on the wire: fields that we do not know stay. */
export type Rule = Readonly<Record<string, unknown>>;

/** An object that says where requests go. Its spec is parsed JSON and keeps every field. */
export interface RouteObject extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** From which destination to which traffic moves, as routes of one namespace see it. */
export interface Move {
  readonly canary: Destination;
  readonly stable: Destination;
  /** Of the route. */
  readonly namespace: string;
}

/** A place in a rule that sends requests somewhere. */
export interface Sending {
  readonly destination: Destination;
  /** Copies of requests, whose answers nobody gets. */
  readonly isMirror: boolean;
  /** False where its weight keeps everything from it. */
  readonly isServed: boolean;
}

/** One kind of routes: how its rules are read and rewritten. Pure. */
export interface RouteKind {
  readonly type: ResourceType<RouteObject>;
  /** Members of the spec that are lists of rules. */
  readonly lists: readonly string[];
  sendings(rule: Rule, namespace: string): readonly Sending[];
  /** Whether routes of this kind can name the destination. */
  canName(destination: Destination, namespace: string): boolean;
  /** The rule with nothing left for the canary; the same rule where nothing had to change. */
  move(rule: Rule, move: Move): Rule;
  /** Why the kind's own controller has not taken the newest spec up; undefined when it has, or nobody says. */
  unsettled(object: RouteObject): string | undefined;
}

/** What a destination is to a move. One that may reach the canary is the canary's, whatever else it reaches. */
export function roleOf(destination: Destination | undefined, { canary, stable, namespace }: Move): Role {
  if (destination === undefined) return "other";
  if (mayReach(destination, canary, namespace)) return "canary";
  return isWithin(destination, stable, namespace) ? "stable" : "other";
}

/** A list of objects within a rule; anything else is none. */
export function entriesOf(value: unknown): readonly Rule[] {
  return Array.isArray(value) ? (value as readonly Rule[]) : [];
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
