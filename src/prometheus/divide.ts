import { liesWithQuestion, type Answer } from "./answer.ts";

/** Some of those who were asked about, and what came of it. */
export interface Part<M, T> {
  readonly members: readonly M[];
  readonly answer: Answer<T>;
}

export interface Division<M, T> {
  ask(members: readonly M[]): Promise<Answer<T>>;
  /** Whether a question of this kind fails even about nobody: then no member is to blame. */
  failsAnyway(): Promise<boolean>;
  /** Most questions beyond the first one. */
  readonly budget: number;
}

/**
 * Asks about all members at once. A question that fails for a reason of its own is asked again in halves, until who is
 * to blame stands alone; the others get their answer all the same. A server in trouble is not asked more often for it.
 */
export async function divide<M, T>(
  members: readonly M[],
  { ask, failsAnyway, budget }: Division<M, T>,
): Promise<readonly Part<M, T>[]> {
  const whole: Part<M, T> = { members, answer: await ask(members) };
  if (!canBeDivided(whole)) return [whole];
  // An answer that is too large says by itself that a smaller one may do.
  if (whole.answer.error.kind !== "TooLarge" && (await failsAnyway())) return [whole];
  const done: Part<M, T>[] = [];
  const open: Part<M, T>[] = [whole];
  let left = budget;
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (!canBeDivided(part) || left < 2) {
      done.push(part);
      continue;
    }
    left -= 2;
    const middle = Math.ceil(part.members.length / 2);
    for (const half of [part.members.slice(0, middle), part.members.slice(middle)]) {
      open.push({ members: half, answer: await ask(half) });
    }
  }
  return done;
}

function canBeDivided<M, T>(
  part: Part<M, T>,
): part is Part<M, T> & { readonly answer: Extract<Answer<T>, { readonly kind: "Failed" }> } {
  return part.members.length > 1 && part.answer.kind === "Failed" && liesWithQuestion(part.answer.error);
}
