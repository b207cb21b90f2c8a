import { isForbidden } from "../../kube/errors.ts";

/** A fact of the cluster, or why this user does not see it. */
export type Seen<T> =
  | { readonly kind: "Seen"; readonly value: T }
  /** Why, to be read after "not visible to you: ". */
  | { readonly kind: "Hidden"; readonly why: string };

export function seen<T>(value: T): Seen<T> {
  return { kind: "Seen", value };
}

export function hidden(why: string): Seen<never> {
  return { kind: "Hidden", why };
}

/** What a read gives; `what` is the missing right where it is refused, such as `get configmaps`. Throws other errors. */
export async function look<T>(what: string, read: () => Promise<T>): Promise<Seen<T>> {
  try {
    return seen(await read());
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return hidden(`no right to ${what}`);
  }
}

/** Why something cannot be told. */
export type Gap =
  | { readonly kind: "Hidden"; readonly why: string }
  /** It depends on the row that fires, and none does. */
  | { readonly kind: "NeedsRow" }
  /** The operator keeps it in its memory. */
  | { readonly kind: "Memory"; readonly why: string };

/** Thrown where a rule asks for a fact that is not known: what is unknown is said, never guessed. */
export class NotKnown extends Error {
  override readonly name = "NotKnown";
  readonly gap: Gap;

  constructor(gap: Gap) {
    super(gap.kind);
    this.gap = gap;
  }
}

/** The value. Throws NotKnown where it is hidden. */
export function must<T>(fact: Seen<T>): T {
  if (fact.kind === "Hidden") throw new NotKnown(fact);
  return fact.value;
}

/** The answer, or the gap that keeps it. Throws everything but NotKnown. */
export function known<T>(ask: () => T): Seen<T> | Gap {
  try {
    return seen(ask());
  } catch (error) {
    if (error instanceof NotKnown) return error.gap;
    throw error;
  }
}
