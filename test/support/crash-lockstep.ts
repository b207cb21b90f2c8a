import { setTimeout as delay } from "node:timers/promises";
import { isLastingWrite, labelOf } from "./crash-points.ts";
import type { Interceptor } from "./fault-proxy.ts";

/** How long the first of two waits; the second may have nothing to write, so it cannot be waited for for good. */
const PATIENCE_MS = 150;

/**
 * Makes two processes write at the same instant: whoever comes first with a write to an object waits for the other
 * one's write to the same object, for a moment. Use the returned interceptor in front of both.
 */
export function lockstep(): { readonly interceptor: Interceptor; readonly meetings: () => number } {
  const waiting = new Map<string, () => void>();
  let meetings = 0;
  const interceptor: Interceptor = async (call, forward) => {
    if (!isLastingWrite(call)) return forward();
    const place = `${labelOf(call)} ${call.path}`;
    const wakeOther = waiting.get(place);
    if (wakeOther !== undefined) {
      waiting.delete(place);
      meetings += 1;
      wakeOther();
      return forward();
    }
    const met = Promise.withResolvers<void>();
    waiting.set(place, met.resolve);
    await Promise.race([met.promise, delay(PATIENCE_MS)]);
    if (waiting.get(place) === met.resolve) waiting.delete(place);
    return forward();
  };
  return { interceptor, meetings: () => meetings };
}
