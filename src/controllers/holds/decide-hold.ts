import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import type { HoldStatus } from "../../crds/gitops-hold.ts";
import type { Agreement } from "../../gitops/argo-cd.ts";
import type { HoldLook } from "../../gitops/end-hold.ts";
import { ownerText } from "../../gitops/owner.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { stayingChanges } from "../request/wording.ts";

/** Why a hold ends. */
export type EndReason = "GitAgrees" | "Overtaken" | "Released" | "NothingChanged" | "NamespaceTerminating";

export type HoldDecision =
  /** Nothing is written; `message` says what it waits for. */
  | { readonly kind: "Keep"; readonly agreement: "Differs" | "Unknown"; readonly message: string }
  /** What was found is put back. */
  | { readonly kind: "End"; readonly reason: EndReason }
  /** There is nothing to put back any more. */
  | {
      readonly kind: "Close";
      readonly state: "Released" | "Lost";
      readonly reason: EndReason | "OwnerGone" | "HoldLost";
      readonly message: string;
    };

export interface HoldFacts {
  readonly request: RollbackRequest;
  readonly hold: HoldStatus;
  readonly look: HoldLook;
  readonly namespaceTerminates: boolean;
}

/** What becomes of one hold of a finished request. Pure. */
export function decideHold(facts: HoldFacts): HoldDecision {
  const { request, hold, look } = facts;
  switch (look.kind) {
    case "Gone":
      return { kind: "Close", state: "Released", reason: "OwnerGone", message: look.message };
    case "Lost":
      return { kind: "Close", state: "Lost", reason: "HoldLost", message: look.message };
    case "NotSet":
      return {
        kind: "Close",
        state: "Released",
        reason: "NothingChanged",
        message: `${ownerText(hold)} was never stopped`,
      };
    case "Restored": {
      const reason = reasonToEnd(facts, look.agreement);
      // By us, before a crash; or by somebody who wrote the whole object again.
      return reason === undefined
        ? {
            kind: "Close",
            state: "Lost",
            reason: "HoldLost",
            message: `somebody else has put ${ownerText(hold)} back`,
          }
        : { kind: "Close", state: "Released", reason, message: `${ownerText(hold)} is as it was found` };
    }
    case "Stands":
      break;
  }
  const reason = reasonToEnd(facts, look.agreement);
  if (reason !== undefined) return { kind: "End", reason };
  const agreement = look.agreement === "Differs" ? "Differs" : "Unknown";
  return { kind: "Keep", agreement, message: standsText(hold, request.metadata.name, agreement) };
}

/** How a hold stands, and what ends it. */
export function standsText(hold: HoldStatus, request: string, agreement: "Differs" | "Unknown"): string {
  const knows =
    agreement === "Differs"
      ? "Git still wants another version: change it there"
      : "whether Git agrees is not known (yet): change it there";
  return `${ownerText(hold)} is stopped since ${hold.heldAt ?? hold.since}; ${knows}, or let Git win by "kubectl-rollback release ${request}"`;
}

function reasonToEnd(
  { request, namespaceTerminates }: HoldFacts,
  agreement: Agreement,
): EndReason | undefined {
  // What is live is what Git wants, since nothing was changed or all of it was undone.
  if (stayingChanges(request) === "") return "NothingChanged";
  if (namespaceTerminates) return "NamespaceTerminating";
  if (isReleaseAsked(request)) return "Released";
  return agreement === "Agrees" ? "GitAgrees" : undefined;
}

function isReleaseAsked({ metadata }: RollbackRequest): boolean {
  return metadata.annotations?.[REQUEST_ANNOTATIONS.release] === "true";
}
