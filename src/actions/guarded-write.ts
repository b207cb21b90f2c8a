import {
  errorMessage,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isNotFound,
} from "../kube/errors.ts";
import type { ApplyResult } from "./action.ts";

/** How often a failed `test` is looked at again before it counts as a refusal of the server. */
const MAX_TRIES = 3;

/** The world as the plan wants it: `send` makes the one write, guarded by `test` operations. */
export interface ReadyToWrite {
  readonly kind: "Ready";
  send(): Promise<unknown>;
  /** What is still to be done after this write, where it is only the first of several. */
  readonly leaves?: Extract<ApplyResult, { readonly kind: "Preparing" }>;
}

/**
 * Looks and makes one write, and looks again when the write was turned away: 422 is a failed `test` or an invalid object, and the
 * two look alike, so what `look` sees decides. Safe to repeat. Throws KubeError when an answer was lost.
 */
export async function writeGuarded(look: () => Promise<ApplyResult | ReadyToWrite>): Promise<ApplyResult> {
  let refusal = "";
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const seen = await look();
    if (seen.kind !== "Ready") return seen;
    try {
      await seen.send();
      return seen.leaves ?? { kind: "Applied", alreadyThere: false };
    } catch (error) {
      // Admission or a right that was taken away since the plan; asking again would not help.
      if (isForbidden(error)) return refusedByServer(errorMessage(error));
      if (!isLost(error)) throw error;
      refusal = errorMessage(error);
    }
  }
  return refusedByServer(refusal);
}

/** The world was not as it was looked at, or the object is invalid. */
function isLost(error: unknown): boolean {
  return isInvalid(error) || isNotFound(error) || isConflict(error) || isAlreadyExists(error);
}

function refusedByServer(words: string): ApplyResult {
  return { kind: "Refused", reason: "StepFailed", message: `the API server refused the change: ${words}` };
}
