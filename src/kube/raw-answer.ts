import type { Dispatcher } from "undici";
import { DeadlineError } from "./network-failure.ts";

/** An answer as it came, whatever its status. */
export interface RawAnswer {
  /** HTTP status. */
  readonly code: number;
  /** By lower-case name; repeats of a name are a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** At most as many bytes as were asked for. */
  readonly body: Uint8Array;
  /** From sending to the end of what was read, milliseconds. */
  readonly elapsedMs: number;
  /** Whole; Cut: there was more than was asked for; Late: the deadline passed before its end. */
  readonly end: "Whole" | "Cut" | "Late";
}

/**
 * Reads an answer up to `maxBytes`. What comes after that, or after the deadline, is not waited for: the body is
 * destroyed, which gives the connection back. Throws what the stream throws when the connection is lost or the caller
 * gave up.
 */
export async function readRawAnswer(
  response: Dispatcher.ResponseData,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Omit<RawAnswer, "elapsedMs">> {
  const chunks: Uint8Array[] = [];
  let room = maxBytes;
  let end: RawAnswer["end"] = "Whole";
  try {
    for await (const chunk of response.body) {
      const bytes = chunk as Uint8Array;
      chunks.push(bytes.subarray(0, room));
      room -= bytes.byteLength;
      if (room < 0) {
        end = "Cut";
        break;
      }
    }
  } catch (failure) {
    if (!(signal.reason instanceof DeadlineError)) throw failure;
    end = "Late";
  }
  return { code: response.statusCode, headers: response.headers, body: Buffer.concat(chunks), end };
}
