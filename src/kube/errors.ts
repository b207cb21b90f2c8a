/** One complaint of the server about one field, from `status.details.causes`. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** `details` of a Status answer. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** Reasons of our own, used where no Status came from the server. */
export type LocalReason =
  | "ConnectionFailed" // never sent
  | "ConnectionLost" // sent, no whole answer
  | "DeadlineExceeded"
  | "Aborted" // by the caller's signal
  | "ApiNotServed" // 404 for a path that the server does not know (a CRD that is not installed)
  | "BadResponse" // not JSON, or larger than allowed
  | "BadName" // refused here, before a URL was made
  | "CredentialsFailed"
  | "WatchStalled"
  | "BadWatchLine";

/** The facts of a failed request. */
export interface KubeErrorFacts {
  /** HTTP status, 0 when there was no answer. */
  readonly code: number;
  /** `reason` of the server's Status (NotFound, Conflict ...) or a LocalReason. */
  readonly reason: string;
  /** What was tried: get, list, create, replace, patch, delete, watch. */
  readonly verb: string;
  /** Readable name of the object, e.g. `deployments.apps shop/web`. */
  readonly target: string;
  readonly path: string;
  /** The server's own words, or ours. */
  readonly detail: string;
  readonly details?: StatusDetails | undefined;
  /** True when the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** True when the request was a write that may have taken effect although it failed. */
  readonly outcomeUnknown: boolean;
  /** How long the server asked us to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Every failure of a request to the API server. */
export class KubeError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly verb: string;
  readonly target: string;
  readonly path: string;
  readonly details: StatusDetails | undefined;
  readonly retryable: boolean;
  readonly outcomeUnknown: boolean;
  readonly retryAfterMs: number | undefined;
  readonly facts: KubeErrorFacts;

  constructor(facts: KubeErrorFacts) {
    super(messageOf(facts), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "KubeError";
    this.facts = facts;
    this.code = facts.code;
    this.reason = facts.reason;
    this.verb = facts.verb;
    this.target = facts.target;
    this.path = facts.path;
    this.details = facts.details;
    this.retryable = facts.retryable;
    this.outcomeUnknown = facts.outcomeUnknown;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** The object does not exist. False for a kind that the server does not serve (see isApiNotServed). */
export function isNotFound(error: unknown): boolean {
  return has(error, (e) => e.code === 404 && e.reason === "NotFound");
}

/** The server does not know this API path: a CRD or aggregated API that is not installed. */
export function isApiNotServed(error: unknown): boolean {
  return has(error, (e) => e.reason === "ApiNotServed");
}

/** The resourceVersion or another precondition did not match; false for AlreadyExists. */
export function isConflict(error: unknown): boolean {
  return has(error, (e) => e.code === 409 && e.reason !== "AlreadyExists");
}

/** A create met an object of the same name. */
export function isAlreadyExists(error: unknown): boolean {
  return has(error, (e) => e.code === 409 && e.reason === "AlreadyExists");
}

/** 422: invalid object, or a `test` operation of a JSON patch that failed. The two look alike: read again, classify. */
export function isInvalid(error: unknown): boolean {
  return has(error, (e) => e.code === 422);
}

/** 403: RBAC, admission or quota said no. */
export function isForbidden(error: unknown): boolean {
  return has(error, (e) => e.code === 403);
}

/** The namespace is being deleted: nothing can be created in it any more. */
export function isNamespaceTerminating(error: unknown): boolean {
  return has(
    error,
    (e) =>
      e.code === 403 && e.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") === true,
  );
}

/** 401: the credentials were refused, also after a refresh. */
export function isUnauthorized(error: unknown): boolean {
  return has(error, (e) => e.code === 401);
}

/** 410: the resourceVersion or the continue token is too old. */
export function isGone(error: unknown): boolean {
  return has(error, (e) => e.code === 410);
}

/** 429: refused by flow control, or an eviction held back by a disruption budget. */
export function isTooManyRequests(error: unknown): boolean {
  return has(error, (e) => e.code === 429);
}

/** The server, or a proxy before it, answered 500, 502, 503 or 504. */
export function isUnavailable(error: unknown): boolean {
  return has(error, (e) => isServerFailure(e.code));
}

/** No answer: connection refused or lost, or the deadline passed. */
export function isNetworkError(error: unknown): boolean {
  const reasons = ["ConnectionFailed", "ConnectionLost", "DeadlineExceeded"];
  return has(error, (e) => e.code === 0 && reasons.includes(e.reason));
}

/** A watch heard nothing for too long: a dead connection, or a quiet kind without bookmarks. */
export function isWatchStalled(error: unknown): boolean {
  return has(error, (e) => e.reason === "WatchStalled");
}

/** The caller's own signal ended the request or wait. */
export function isAborted(error: unknown): boolean {
  return has(error, (e) => e.reason === "Aborted") || (isErrorLike(error) && error.name === "AbortError");
}

/** The write may have happened: its connection or answer was lost, or a 5xx came. Read again before acting. */
export function outcomeUnknown(error: unknown): boolean {
  return has(error, (e) => e.outcomeUnknown);
}

/** What the server said in detail, cause by cause; empty where it gave none. */
export function causesOf(error: unknown): readonly string[] {
  if (!has(error, (e) => e.details?.causes !== undefined)) return [];
  return ((error as KubeError).details?.causes ?? []).flatMap(({ message }) => message ?? []);
}

/** 500, 502, 503, 504: codes after which the same request may succeed. */
export function isServerFailure(code: number): boolean {
  return code === 500 || code === 502 || code === 503 || code === 504;
}

/** A readable sentence of any thrown value, for logs and conditions. */
export function errorMessage(error: unknown): string {
  return isErrorLike(error) ? error.message : String(error);
}

/** Also true for errors of another realm (Node's own, seen from a test's sandbox), which instanceof is not. */
export function isErrorLike(value: unknown): value is Error & { readonly code?: unknown } {
  return typeof value === "object" && value !== null && "message" in value && "name" in value;
}

// Duck-typed rather than instanceof alone: fakes and a second copy of this module in a bundle still match.
function has(error: unknown, test: (error: KubeError) => boolean): boolean {
  return isErrorLike(error) && error.name === "KubeError" && test(error as KubeError);
}

function messageOf(facts: KubeErrorFacts): string {
  const answer = facts.code === 0 ? facts.reason : `${facts.code} ${facts.reason}`;
  const unknown = facts.outcomeUnknown ? "; it may have taken effect all the same" : "";
  return `cannot ${facts.verb} ${facts.target}: ${facts.detail} (${answer}${unknown})`;
}
