import type { TemporaryChange } from "../crds/temporary-change.ts";
import { valueText } from "../workloads/value-text.ts";
import type { ApplyResult } from "./action.ts";
import { writeGuarded, type ReadyToWrite } from "./guarded-write.ts";
import { readValue, type Acting, type LiveValue } from "./live-value.ts";
import { superseded } from "./results.ts";

/** One number of one object, from one value to another. */
export interface ValueMove extends Pick<TemporaryChange, "change" | "object" | "objectUid"> {
  readonly from: number;
  readonly to: number;
}

/** Moves it if it is still at `from`, or an autoscaler moved it from there. Safe to repeat. Throws KubeError. */
export function moveValue(move: ValueMove, acting: Acting): Promise<ApplyResult> {
  return writeGuarded(async () => stateOf(move, await readValue(move, acting)));
}

/** Lifts it to `to` where it is lower; one that is as high already, or higher, is left alone. Otherwise the same. */
export function raiseValue(move: ValueMove, acting: Acting): Promise<ApplyResult> {
  return writeGuarded(async () => {
    const live = await readValue(move, acting);
    const isThere = live?.uid === move.objectUid && live.value >= move.to;
    return isThere ? { kind: "Applied", alreadyThere: true } : stateOf(move, live);
  });
}

async function stateOf(move: ValueMove, live: LiveValue | undefined): Promise<ApplyResult | ReadyToWrite> {
  const { object, objectUid, from, to } = move;
  if (live === undefined) return superseded(`${object} is gone`);
  const { uid, value } = live;
  if (uid !== objectUid) return superseded(`${object} was deleted and created again`);
  if (value === to) return { kind: "Applied", alreadyThere: true };
  const isAsLeft = value === from || (from > 0 && value > 0 && (await live.isFloating()));
  return isAsLeft
    ? { kind: "Ready", send: () => live.send(to, false) }
    : superseded(`${object} was set to ${valueText(move, value)} by somebody else before the act`);
}
