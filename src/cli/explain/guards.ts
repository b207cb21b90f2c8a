import { GUARDS, PROPOSAL_GUARDS, type ForPeople, type NamedGuard } from "../../decision/guards/chain.ts";
import type { GuardInput, HoldReason } from "../../decision/guards/guard.ts";
import { known } from "./seen.ts";

/** How one guard answers. */
export type GuardAnswer =
  | { readonly state: "Ok" }
  | {
      readonly state: "Refuses";
      readonly reason: HoldReason;
      readonly message: string;
      /** When it allows it again, RFC 3339. */
      readonly retryAt?: string;
    }
  /** This user's rights do not show what it looks at. */
  | { readonly state: "Hidden"; readonly message: string }
  /** It depends on the row. */
  | { readonly state: "AskedWhenARowFires" }
  /** Only the operator knows what it looks at. */
  | { readonly state: "OperatorOnly"; readonly message: string };

export type GuardFinding = GuardAnswer & {
  readonly guard: string;
  readonly people: ForPeople;
  /** Whether it also binds what is only put to a person. */
  readonly bindsProposals: boolean;
};

const BINDING_PROPOSALS: ReadonlySet<string> = new Set(PROPOSAL_GUARDS.map(({ name }) => name));

/** Asks every guard of an automatic rollback, in the order in which their refusals count. */
export function askGuards(input: GuardInput): readonly GuardFinding[] {
  return GUARDS.map((guard) => ({
    guard: guard.name,
    ...answerOf(guard, input),
    people: guard.people,
    bindsProposals: BINDING_PROPOSALS.has(guard.name),
  }));
}

export function answerOf({ check }: NamedGuard, input: GuardInput): GuardAnswer {
  const result = known(() => check(input));
  switch (result.kind) {
    case "NeedsRow":
      return { state: "AskedWhenARowFires" };
    case "Hidden":
      return { state: "Hidden", message: result.why };
    case "Memory":
      return { state: "OperatorOnly", message: result.why };
    case "Seen": {
      if (result.value.allowed) return { state: "Ok" };
      const { reason, message, retryAt } = result.value;
      // Asked for the latest time that the operator can have begun to watch.
      return reason === "BreachTooOld"
        ? {
            state: "OperatorOnly",
            message: "whether it saw the breach begin: one found at its start may be too old",
          }
        : {
            state: "Refuses",
            reason,
            message,
            ...(retryAt === undefined ? {} : { retryAt: new Date(retryAt).toISOString() }),
          };
    }
  }
}
