import { isServerFailure, KubeError, type StatusDetails } from "./errors.ts";

/** What a failure needs to know of its request. */
export interface RequestIdentity {
  readonly verb: string;
  readonly target: string;
  readonly path: string;
  /** True for everything but reads and dry runs: a failure may then hide a success. */
  readonly write: boolean;
}

const reasonByCode: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  502: "BadGateway",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** Server messages can echo whole objects; what goes into status and events is cut to this many characters. */
const longestDetail = 2_000;

/** The error for an answer that is not 2xx. `body` is the parsed JSON or the text; a Status is used when it is one. */
export function errorFromAnswer(
  request: RequestIdentity,
  code: number,
  body: unknown,
  retryAfterMs?: number,
): KubeError {
  const status = asStatus(body);
  const reason = reasonOf(status, code);
  const hinted = (status?.details?.retryAfterSeconds ?? 0) * 1_000;
  return new KubeError({
    code,
    reason,
    verb: request.verb,
    target: request.target,
    path: request.path,
    detail: detailOf(status, body),
    details: status?.details,
    retryable: code === 429 || isServerFailure(code),
    // A 5xx can follow a write that etcd took (a timeout of the answer, a proxy that lost its backend).
    outcomeUnknown: request.write && code >= 500,
    retryAfterMs: retryAfterMs ?? (hinted > 0 ? hinted : undefined),
  });
}

/**
 * A missing object is named in the details of its Status. A path that no API serves has a Status without details, or
 * no Status at all: that says nothing about the object, and must not be taken for its absence.
 */
function reasonOf(status: Status | undefined, code: number): string {
  if (code === 404 && status?.details?.name === undefined) return "ApiNotServed";
  return status?.reason || reasonByCode[code] || `Http${code}`;
}

function detailOf(status: Status | undefined, body: unknown): string {
  const words = status?.message ?? (typeof body === "string" ? body.trim() : "");
  return words === "" ? "the server gave no message" : cut(words);
}

/** The error that a watch delivers as an ERROR event. */
export function errorFromStatus(request: RequestIdentity, body: unknown): KubeError {
  const status = asStatus(body);
  return errorFromAnswer(request, status?.code ?? 500, body);
}

/** Milliseconds asked for by a Retry-After header (seconds or an HTTP date), undefined when there is none. */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== "string" || header === "") return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
}

function asStatus(body: unknown): Status | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  return (body as { kind?: unknown }).kind === "Status" ? body : undefined;
}

function cut(text: string): string {
  return text.length <= longestDetail ? text : `${text.slice(0, longestDetail)}…`;
}
