import type { HoldStatus, LedgerHold, PlannedHold } from "../../crds/gitops-hold.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { Holder } from "../../gitops/held-by.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { openHolds } from "../ledger/holds.ts";
import type { Resolution } from "./resolve.ts";
import type { RequestPlan } from "./situation.ts";

/** Whether something is announced that must stand before anything is changed. */
export function awaitsHolds({ status }: RollbackRequest): boolean {
  return status?.holds?.some(({ state }) => state === "Setting") === true;
}

/** Who holds, where a policy lets the request do so. `request` is its name, for the record on what is stopped. */
export function holderOf(
  resolution: Resolution,
  { namespace = "", name }: { readonly namespace?: string | undefined; readonly name: string },
): Holder | undefined {
  if (resolution.kind === "Refused" || resolution.holdPolicy === undefined) return undefined;
  return { request: `${namespace}/${name}`, policy: `${namespace}/${resolution.holdPolicy}` };
}

/** What a plan stops, as it is announced. `at` is RFC 3339. */
export function announcedHolds({ holds }: RequestPlan, at: string): readonly HoldStatus[] | undefined {
  return holds?.map((hold) => ({
    ...identityOf(hold),
    ...(hold.confirmBy === undefined ? {} : { confirmBy: hold.confirmBy }),
    state: "Setting",
    since: at,
  }));
}

/** Holds of a request whose status was emptied by somebody: its ledger knows them still. Pure. */
export function rememberedHolds(
  { metadata, status }: RollbackRequest,
  ledger: RollbackLedgerSpec | undefined,
): readonly HoldStatus[] | undefined {
  if (status?.holds !== undefined) return status.holds;
  const open = openHolds(ledger, metadata.uid);
  return open.length === 0
    ? undefined
    : open.map((entry) => ({ ...identityOf(entry), state: "Held", since: entry.since }));
}

/** What ledger, plan and status have in common. */
export function identityOf({
  kind,
  namespace,
  name,
  uid,
  found,
  objects,
}: PlannedHold | HoldStatus | LedgerHold): Pick<
  HoldStatus,
  "kind" | "namespace" | "name" | "uid" | "found" | "objects"
> {
  return { kind, namespace, name, uid, found, objects };
}
