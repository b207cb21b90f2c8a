import type { Dispatcher } from "undici";
import { localError } from "./network-failure.ts";
import type { RequestIdentity } from "./status-answer.ts";

/**
 * Reads a whole answer of at most `maxBytes`: parsed JSON, the text when its type is not JSON, undefined when empty.
 * Throws KubeError BadResponse; the connection is closed when the answer is too large.
 */
export async function readBody(
  response: Dispatcher.ResponseData,
  maxBytes: number,
  identity: RequestIdentity,
): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    const bytes = chunk as Uint8Array;
    size += bytes.byteLength;
    if (size > maxBytes) {
      throw bad(identity, response, `the answer is larger than ${maxBytes} bytes`);
    }
    chunks.push(bytes);
  }
  if (size === 0) return undefined;
  const text = Buffer.concat(chunks, size).toString("utf8");
  if (!isJson(response.headers["content-type"])) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw bad(identity, response, "the answer is not valid JSON", cause);
  }
}

function bad(identity: RequestIdentity, response: Dispatcher.ResponseData, detail: string, cause?: unknown) {
  return localError(identity, "BadResponse", `${detail} (HTTP ${response.statusCode})`, {
    outcomeUnknown: identity.write,
    cause,
  });
}

function isJson(contentType: string | string[] | undefined): boolean {
  return typeof contentType === "string" && /[/+]json\b/.test(contentType);
}
