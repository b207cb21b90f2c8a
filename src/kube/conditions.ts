import { secondTime } from "./clock.ts";

/** metav1.Condition, with every field set. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly observedGeneration: number;
  /** RFC 3339, whole seconds: when `status` last changed. */
  readonly lastTransitionTime: string;
  /** CamelCase, one word or so. */
  readonly reason: string;
  readonly message: string;
}

/** What CRDs allow. */
const longestMessage = 32_768;
const longestReason = 1_024;

/**
 * The list with the condition set; the same list when nothing differs. lastTransitionTime moves only when the status
 * changes (the API conventions; Flux differs). `now` is ms since 1970. A message that is too long is cut.
 */
export function setCondition(
  list: readonly Condition[],
  condition: Omit<Condition, "lastTransitionTime">,
  now: number,
): readonly Condition[] {
  const old = getCondition(list, condition.type);
  const fresh: Condition = {
    type: condition.type,
    status: condition.status,
    observedGeneration: condition.observedGeneration,
    lastTransitionTime: old?.status === condition.status ? old.lastTransitionTime : secondTime(now),
    reason: condition.reason.slice(0, longestReason),
    message: cutText(condition.message, longestMessage),
  };
  if (old === undefined) return [...list, fresh];
  return same(old, fresh) ? list : list.map((each) => (each === old ? fresh : each));
}

/** The list without the condition of this type. */
export function removeCondition(list: readonly Condition[], type: string): readonly Condition[] {
  return list.some((each) => each.type === type) ? list.filter((each) => each.type !== type) : list;
}

/** The condition of this type. */
export function getCondition(list: readonly Condition[], type: string): Condition | undefined {
  return list.find((each) => each.type === type);
}

/** Text of at most `longest` UTF-16 units, with an ellipsis where it was cut and no half characters. */
export function cutText(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

function same(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}
