import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { OPERATOR_USER } from "./shop.ts";

/** Calls of the operator that change something or ask, except the renewals of its leader's Lease. */
export interface IdleCalls {
  /** What is stored, or would be: refused and failed writes count too, dry runs do not. */
  readonly writes: readonly AuditEvent[];
  /** Answers that nothing is stored of; to the API server they are creates. */
  readonly accessReviews: readonly AuditEvent[];
}

/** Groups whose objects are questions: none is ever stored. */
const REVIEW_GROUPS = ["authorization.k8s.io", "authentication.k8s.io"];

/** After this many bytes of the audit log. */
export async function idleCalls(auditLogPath: string, offset: number): Promise<IdleCalls> {
  const audit = await readAudit(auditLogPath, offset);
  const calls = audit.writes({ user: OPERATOR_USER, acceptedOnly: false });
  const isReview = ({ objectRef }: AuditEvent) => REVIEW_GROUPS.includes(objectRef?.apiGroup ?? "");
  const isLeaderLease = ({ objectRef }: AuditEvent) =>
    objectRef?.resource === "leases" && objectRef.name === "rollback-operator";
  return {
    writes: calls.filter((call) => !isReview(call) && !isLeaderLease(call)),
    accessReviews: calls.filter(isReview),
  };
}

/** `3 × update rollbackpolicies/status`, most frequent first. */
export function summaryOf(events: readonly AuditEvent[]): readonly string[] {
  const groups = Map.groupBy(events, ({ verb, objectRef }) => {
    const { resource = "", subresource } = objectRef ?? {};
    return `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`;
  });
  return [...groups]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([what, list]) => `${list.length} × ${what}`);
}
