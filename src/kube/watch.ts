import { linkAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { createLineSplitter, type LineSplitter } from "./line-splitter.ts";
import { errorMessage, isAborted, type KubeError } from "./errors.ts";
import { localError } from "./network-failure.ts";
import type { KubeObject } from "./objects.ts";
import { errorFromStatus, type RequestIdentity } from "./status-answer.ts";

/** One event of a watch. A bookmark's object carries kind and resourceVersion only. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface DecodeWatchOptions {
  readonly identity: RequestIdentity;
  readonly clock: Clock;
  /** Silence after which the stream counts as dead. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** The server accepted the watch. */
  readonly onOpen?: (() => void) | undefined;
  /** Opens the stream; the signal it gets aborts on a stall. */
  readonly open: (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
}

/**
 * The events of one watch request. Returns when the server ends the stream; throws KubeError for an ERROR event (410
 * as isGone), a line that is not an event (BadWatchLine), silence (WatchStalled), a lost connection, an abort.
 */
export async function* decodeWatch<T extends KubeObject>(
  options: DecodeWatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const { clock, identity, stallMs } = options;
  const link = linkAbort(options.signal);
  const stalled = localError(identity, "WatchStalled", `nothing came for ${stallMs / 1_000} s`, {
    retryable: true,
  });
  let heardAt = clock.monotonic();
  const check = () => {
    // Bytes only note the time; one timer follows them. Making a timer for each chunk costs more than the chunk.
    const left = stallMs - (clock.monotonic() - heardAt);
    if (left <= 0) link.abort(stalled);
    else timer = clock.setTimer(left, check);
  };
  let timer = clock.setTimer(stallMs, check);
  try {
    const splitter = createLineSplitter();
    const stream = await options.open(link.signal);
    options.onOpen?.();
    heardAt = clock.monotonic();
    for await (const chunk of stream) {
      heardAt = clock.monotonic();
      const lines = splitLines(splitter, chunk, identity).filter((line) => line.trim() !== "");
      for (const line of lines) yield parseEvent<T>(line, identity);
      // A consumer that took its time is not silence of the server.
      heardAt = clock.monotonic();
    }
  } catch (error) {
    throw link.signal.reason === stalled && isAborted(error) ? stalled : error;
  } finally {
    timer.cancel();
    link.abort(new Error("the watch is over"));
    link.unlink();
  }
}

function splitLines(splitter: LineSplitter, chunk: Uint8Array, identity: RequestIdentity): string[] {
  try {
    return splitter.push(chunk);
  } catch (cause) {
    throw localError(identity, "BadWatchLine", errorMessage(cause), { retryable: true, cause });
  }
}

function parseEvent<T extends KubeObject>(line: string, identity: RequestIdentity): WatchEvent<T> {
  const event = parseLine(line, identity);
  if (event.type === "ERROR") throw errorFromStatus(identity, event.object);
  const object = event.object;
  const version = object?.metadata?.resourceVersion;
  if (object === undefined || typeof version !== "string") throw badLine(line, identity);
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      if (typeof object.metadata?.name !== "string") throw badLine(line, identity);
      return { type: event.type, object: object as T };
    case "BOOKMARK":
      return { type: "BOOKMARK", resourceVersion: version };
    default:
      throw badLine(line, identity);
  }
}

interface RawEvent {
  readonly type?: unknown;
  readonly object?: { readonly metadata?: Partial<KubeObject["metadata"]> };
}

function parseLine(line: string, identity: RequestIdentity): RawEvent {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Falls through: the line is named in the error, the parser's position in it helps nobody.
  }
  throw badLine(line, identity);
}

/** Only the beginning is quoted, and never an object's content: it may be a Secret. */
function badLine(line: string, identity: RequestIdentity): KubeError {
  const head = line.slice(0, 20);
  return localError(
    identity,
    "BadWatchLine",
    `a line of ${line.length} characters is not a watch event: ${head}…`,
    {
      retryable: true,
    },
  );
}
