import { createReadStream } from "node:fs";
import { text } from "node:stream/consumers";
import { waitFor } from "./readiness.ts";

/** One finished request that changed something (audit.k8s.io/v1, stage ResponseComplete or Panic). */
export interface AuditEvent {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: WriteVerb;
  readonly requestURI: string;
  readonly user: AuditUser;
  /** Present when `user` acted as somebody else. */
  readonly impersonatedUser?: AuditUser;
  readonly userAgent?: string;
  readonly objectRef?: AuditObjectRef;
  /** `code` is the HTTP status. */
  readonly responseStatus?: { readonly code?: number; readonly reason?: string; readonly message?: string };
  /** Body of the request, only for kinds of group rollback.llm-research-lab.io; of a patch, the patch. */
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
  /** RFC 3339 with microseconds: when the request came in and when this event was made. */
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type WriteVerb = "create" | "update" | "patch" | "delete" | "deletecollection";

export interface AuditUser {
  readonly username: string;
  readonly groups?: readonly string[];
  /** For a ServiceAccount's bound token also its pod. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface AuditObjectRef {
  /** Plural, e.g. "deployments". */
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  /** Empty for a create with generateName. */
  readonly name?: string;
  readonly apiGroup?: string;
  readonly apiVersion?: string;
  readonly resourceVersion?: string;
}

/** Every given field must match; `subresource: ""` means the object itself, a missing one means either. */
export interface WriteFilter {
  readonly verb?: WriteVerb | readonly WriteVerb[];
  readonly apiGroup?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Who acted: the impersonated user when there is one. */
  readonly actor?: string;
  /** Whose credentials were used. */
  readonly user?: string;
  /** False: refused and failed ones too. Default: only those that the server accepted. */
  readonly acceptedOnly?: boolean;
  /** True: dry runs too, which change nothing. */
  readonly dryRun?: boolean;
}

export interface Audit {
  /** In order of arrival at the API server. */
  readonly events: readonly AuditEvent[];
  writes(filter?: WriteFilter): readonly AuditEvent[];
}

/**
 * Reads an audit log as far as it is written, from a byte where a line begins (its size at some moment). A request that
 * has just been answered may be missing: see `awaitWrites`.
 */
export async function readAudit(path: string, from = 0): Promise<Audit> {
  return parseAudit(await text(createReadStream(path, { start: from })));
}

/** Reads until `count` writes match. Throws after `timeoutMs` with how many did. */
export async function awaitWrites(
  path: string,
  filter: WriteFilter,
  options: { readonly count?: number; readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly AuditEvent[]> {
  const { count = 1, timeoutMs = 5000, signal } = options;
  let found: readonly AuditEvent[] = [];
  const enough = async (): Promise<boolean> => {
    found = (await readAudit(path)).writes(filter);
    return found.length >= count;
  };
  await waitFor(`${count} writes like ${JSON.stringify(filter)} in ${path}`, enough, {
    timeoutMs,
    ...(signal && { signal }),
  });
  return found;
}

export function parseAudit(log: string): Audit {
  // A last line without its end is still being written.
  const whole = log.slice(0, log.lastIndexOf("\n") + 1);
  const events = whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditEvent)
    .sort((a, b) => compare(a.requestReceivedTimestamp, b.requestReceivedTimestamp));
  return { events, writes: (filter = {}) => events.filter((event) => matches(event, filter)) };
}

/** Who acted. */
export function actorOf(event: AuditEvent): string {
  return (event.impersonatedUser ?? event.user).username;
}

function matches(event: AuditEvent, filter: WriteFilter): boolean {
  const verbs = filter.verb === undefined ? [event.verb] : [filter.verb].flat();
  if (!verbs.includes(event.verb)) return false;
  if (filter.acceptedOnly !== false && !isAccepted(event)) return false;
  if (filter.dryRun !== true && isDryRun(event)) return false;
  const facts = factsOf(event);
  return FACTS.every((fact) => filter[fact] === undefined || filter[fact] === facts[fact]);
}

const FACTS = ["apiGroup", "resource", "subresource", "namespace", "name", "actor", "user"] as const;

function factsOf(event: AuditEvent): Readonly<Record<(typeof FACTS)[number], string>> {
  const { apiGroup = "", resource = "", subresource = "", namespace = "", name = "" } = event.objectRef ?? {};
  return {
    apiGroup,
    resource,
    subresource,
    namespace,
    name,
    actor: actorOf(event),
    user: event.user.username,
  };
}

function isAccepted(event: AuditEvent): boolean {
  const code = event.responseStatus?.code ?? 0;
  return code >= 200 && code < 300;
}

function isDryRun(event: AuditEvent): boolean {
  return new URL(event.requestURI, "https://server").searchParams.getAll("dryRun").includes("All");
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
