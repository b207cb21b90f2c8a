import type { KubeClient } from "../../kube/client.ts";
import { objectKey } from "../../kube/objects.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import { movedRules, ruleLists, rulesAt, withRules, type PlacedRule } from "../../traffic/rewrite.ts";
import type { Move, RouteKind, RouteObject } from "../../traffic/route-kind.ts";
import { digestOf } from "../digest.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";
import { FORMER_RULES, formerRulesText, readFormerRules, type FormerRules } from "./former-rules.ts";

/** One write to a route: other rules in their places, and what is recorded of those that stood there. */
export interface RouteChange {
  readonly rules: readonly PlacedRule[];
  readonly former: FormerRules | undefined;
}

export function routeDigest(kind: RouteKind, object: RouteObject): string {
  return digestOf(ruleLists(kind, object));
}

/** The change that leaves nothing for the canary; undefined when nothing reaches it. `at` is RFC 3339. */
export function moveChange(
  kind: RouteKind,
  object: RouteObject,
  move: Move,
  at: string,
): RouteChange | undefined {
  const lists = ruleLists(kind, object);
  const rules = movedRules(kind, lists, move);
  return rules.length === 0 ? undefined : { rules, former: { at, rules: rulesAt(lists, rules) } };
}

/**
 * The change that puts back the rules which a step took away: what is recorded on the route is believed only where it
 * gives the digest that the plan knows, as content never comes from the plan. Undefined where there is no such record.
 */
export function backChange(kind: RouteKind, object: RouteObject, digest: string): RouteChange | undefined {
  const former = readFormerRules(object);
  if (former === undefined) return undefined;
  const lists = ruleLists(kind, object);
  const isOfThisRoute = rulesAt(lists, former.rules).length === former.rules.length;
  if (!isOfThisRoute || digestOf(withRules(lists, former.rules)) !== digest) return undefined;
  return { rules: former.rules, former: undefined };
}

/**
 * The one write to a route. It tests the UID and the whole spec that was read, so that the rules which are replaced are
 * those that were looked at; not the resourceVersion, as a Gateway's controller writes the status all the time. Throws
 * KubeError; 422 when a test failed.
 */
export function sendRoute(
  kind: RouteKind,
  object: RouteObject,
  change: RouteChange,
  executor: KubeClient,
  signal: AbortSignal,
  dryRun: boolean,
): Promise<RouteObject> {
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: object.metadata.uid },
    { op: "test", path: "/spec", value: object.spec },
    ...change.rules.map(
      ({ list, index, rule }) =>
        ({ op: "replace", path: jsonPointer("spec", list, index), value: rule }) as const,
    ),
    ...recordOperations(object, change.former),
  ];
  return executor.patch(
    kind.type,
    objectKey(object),
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER },
  );
}

function recordOperations(
  { metadata: { annotations } }: RouteObject,
  former: FormerRules | undefined,
): readonly JsonPatchOperation[] {
  const path = jsonPointer("metadata", "annotations", FORMER_RULES);
  if (former === undefined) {
    return annotations?.[FORMER_RULES] === undefined ? [] : [{ op: "remove", path }];
  }
  const value = formerRulesText(former);
  if (annotations !== undefined) return [{ op: "add", path, value }];
  return [
    // Absent equals null: annotations that somebody adds meanwhile are not written over.
    { op: "test", path: "/metadata/annotations", value: null },
    { op: "add", path: "/metadata/annotations", value: { [FORMER_RULES]: value } },
  ];
}
