import { linkAbort } from "../../kube/abort.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isGone, isNetworkError, isUnavailable, isWatchStalled } from "../../kube/errors.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Session } from "../session.ts";
import { wasSeen } from "./wording.ts";

export interface AwaitOptions {
  /** Called with each state, and to say whether this one is the one waited for. */
  readonly onState: (request: RollbackRequest) => Promise<boolean> | boolean;
  readonly timeoutMs: number;
  /** Called once when no operator has looked at the request for a while; true ends the wait. */
  readonly onSilence: () => boolean;
}

export type Awaited =
  | { readonly kind: "Reached"; readonly request: RollbackRequest }
  | { readonly kind: "TimedOut"; readonly request: RollbackRequest | undefined }
  | { readonly kind: "Silent" }
  | { readonly kind: "Gone" };

/** An operator that runs looks at a request within a second. */
export const SILENCE_MS = 10_000;

const PAUSE_MS = 500;

/** Follows a request until a state is reached, the time is up, or it is gone. Throws KubeError. */
export async function awaitRequest(
  session: Session,
  name: string,
  { onState, timeoutMs, onSilence }: AwaitOptions,
): Promise<Awaited> {
  const link = linkAbort(session.signal);
  let request: RollbackRequest | undefined;
  let ended: "TimedOut" | "Silent" | undefined;
  const end = (how: "TimedOut" | "Silent") => {
    ended = how;
    link.abort(new Error(how));
  };
  const timers = [
    session.clock.setTimer(timeoutMs, () => end("TimedOut")),
    session.clock.setTimer(SILENCE_MS, () => {
      if ((request === undefined || !wasSeen(request)) && onSilence()) end("Silent");
    }),
  ];
  try {
    for await (const state of statesOf(session, name, link.signal)) {
      request = state;
      if (await onState(state)) return { kind: "Reached", request: state };
    }
    return { kind: "Gone" };
  } catch (error) {
    if (ended === undefined) throw error;
    return ended === "Silent" ? { kind: "Silent" } : { kind: "TimedOut", request };
  } finally {
    for (const timer of timers) timer.cancel();
    link.unlink();
  }
}

/**
 * Each state of one request from now on; ends when it is deleted. A lost watch is opened anew from a fresh read, so
 * nothing that lasts is missed. Throws KubeError for what will not pass by itself, and when the signal aborts.
 */
async function* statesOf(
  session: Session,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<RollbackRequest> {
  let isDeleted = false;
  let hasBeenRead = false;
  while (!isDeleted) {
    try {
      const key = { namespace: session.namespace, name };
      const current = await session.client.tryGet(ROLLBACK_REQUESTS, key, { signal });
      if (current === undefined) return;
      hasBeenRead = true;
      yield current;
      isDeleted = yield* changesSince(session.client, current, signal);
    } catch (error) {
      if (!hasBeenRead || signal.aborted || !isPassing(error)) throw error;
    }
    if (!isDeleted) await session.clock.sleep(PAUSE_MS, signal);
  }
}

/** One watch; returns whether it ended with the deletion of the request. */
async function* changesSince(
  client: KubeClient,
  { metadata }: RollbackRequest,
  signal: AbortSignal,
): AsyncGenerator<RollbackRequest, boolean> {
  const events = client.watch(ROLLBACK_REQUESTS, {
    namespace: metadata.namespace,
    fieldSelector: `metadata.name=${metadata.name}`,
    resourceVersion: metadata.resourceVersion,
    timeoutSeconds: 300,
    stallMs: 120_000,
    signal,
  });
  for await (const event of events) {
    if (event.type === "DELETED") return true;
    if (event.type !== "BOOKMARK") yield event.object;
  }
  return false;
}

function isPassing(error: unknown): boolean {
  return isNetworkError(error) || isUnavailable(error) || isGone(error) || isWatchStalled(error);
}
