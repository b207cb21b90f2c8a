import { errorMessage, isErrorLike, KubeError, type LocalReason } from "./errors.ts";
import type { RequestIdentity } from "./status-answer.ts";

/** The reason of an abort that was made by a deadline and not by the caller. */
export class DeadlineError extends Error {
  readonly deadlineMs: number;

  constructor(deadlineMs: number) {
    super(`no answer within ${deadlineMs / 1_000} s`);
    this.name = "DeadlineError";
    this.deadlineMs = deadlineMs;
  }
}

/** Codes of errors raised before a byte of the request left this machine. */
const neverSent: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
  "UND_ERR_INVALID_ARG",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_HAS_EXPIRED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/**
 * The error for a request that got no whole answer. Anything not known to have failed before sending counts as
 * sent: for a write that means an unknown outcome, the safe reading.
 */
export function errorFromFailure(request: RequestIdentity, failure: unknown, signal: AbortSignal): KubeError {
  const { reason, detail, retryable } = classify(failure, signal);
  return localError(request, reason, detail, {
    retryable,
    outcomeUnknown: request.write && reason !== "ConnectionFailed",
    cause: failure,
  });
}

/** A failure that never was an HTTP answer. */
export function localError(
  request: RequestIdentity,
  reason: LocalReason,
  detail: string,
  more: { readonly retryable?: boolean; readonly outcomeUnknown?: boolean; readonly cause?: unknown } = {},
): KubeError {
  return new KubeError({
    code: 0,
    reason,
    verb: request.verb,
    target: request.target,
    path: request.path,
    detail,
    retryable: more.retryable ?? false,
    outcomeUnknown: more.outcomeUnknown ?? false,
    cause: more.cause,
  });
}

function classify(
  failure: unknown,
  signal: AbortSignal,
): { readonly reason: LocalReason; readonly detail: string; readonly retryable: boolean } {
  if (signal.aborted) {
    return signal.reason instanceof DeadlineError
      ? { reason: "DeadlineExceeded", detail: signal.reason.message, retryable: true }
      : { reason: "Aborted", detail: "the request was cancelled", retryable: false };
  }
  const code = isErrorLike(failure) && typeof failure.code === "string" ? failure.code : "";
  if (code === "UND_ERR_HEADERS_TIMEOUT") {
    return {
      reason: "DeadlineExceeded",
      detail: "the server did not begin to answer in time",
      retryable: true,
    };
  }
  const detail = errorMessage(failure) || code;
  const reason = neverSent.has(code) ? "ConnectionFailed" : "ConnectionLost";
  return {
    reason,
    detail: `${reason === "ConnectionFailed" ? "no connection" : "connection lost"}: ${detail}`,
    retryable: true,
  };
}
