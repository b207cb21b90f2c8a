import {
  entriesOf,
  type Move,
  type RouteKind,
  type RouteObject,
  type Rule,
  type Sending,
} from "./route-kind.ts";

/** Rules of a route by the member of its spec that lists them, in their order. */
export type RuleLists = Readonly<Record<string, readonly Rule[]>>;

/** A rule by its place. */
export interface PlacedRule {
  readonly list: string;
  readonly index: number;
  readonly rule: Rule;
}

/** The lists that an object has; those that are absent stay absent. */
export function ruleLists(kind: RouteKind, { spec }: Pick<RouteObject, "spec">): RuleLists {
  return Object.fromEntries(
    kind.lists.flatMap((list) => (spec[list] === undefined ? [] : [[list, entriesOf(spec[list])]])),
  );
}

/** All rules that must change so that nothing reaches the canary, as they are to be. Pure. */
export function movedRules(kind: RouteKind, lists: RuleLists, move: Move): readonly PlacedRule[] {
  return placed(lists).flatMap(({ list, index, rule }) => {
    const moved = kind.move(rule, move);
    return moved === rule ? [] : [{ list, index, rule: moved }];
  });
}

/** The lists with these rules in their places. */
export function withRules(lists: RuleLists, rules: readonly PlacedRule[]): RuleLists {
  const result: Record<string, readonly Rule[]> = { ...lists };
  for (const { list, index, rule } of rules) result[list] = (result[list] ?? []).with(index, rule);
  return result;
}

/** The rules that stand at these places now. */
export function rulesAt(lists: RuleLists, places: readonly PlacedRule[]): readonly PlacedRule[] {
  return places.flatMap(({ list, index }) => {
    const rule = lists[list]?.[index];
    return rule === undefined ? [] : [{ list, index, rule }];
  });
}

export function sendingsOf(kind: RouteKind, lists: RuleLists, namespace: string): readonly Sending[] {
  return placed(lists).flatMap(({ rule }) => kind.sendings(rule, namespace));
}

function placed(lists: RuleLists): readonly PlacedRule[] {
  return Object.entries(lists).flatMap(([list, rules]) =>
    rules.map((rule, index) => ({ list, index, rule })),
  );
}
