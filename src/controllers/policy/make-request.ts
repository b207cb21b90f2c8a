import type { LedgerAutomatic } from "../../crds/rollback-ledger.ts";
import { createRequest, renameAutomatic } from "./act.ts";
import { unmadeRequests } from "./ledger-view.ts";
import type { PolicyPorts } from "./ports.ts";
import type { DecisionContext } from "./decision-context.ts";
import { finder } from "./decide-now.ts";

/** A crash between ledger and request leaves an entry without an object. */
export async function makeUnmade(
  ports: PolicyPorts,
  context: DecisionContext,
  signal: AbortSignal,
): Promise<void> {
  const { ledger, runtime, target } = context;
  const unmade = unmadeRequests(ledger, finder(ports, target), ports.clock.now());
  for (const entry of unmade) {
    if (!runtime.made.has(entry.request)) await makeRequest(ports, context, entry, signal);
  }
}

/** Makes the request of an entry, under another name where somebody took the recorded one. Returns its name. */
export async function makeRequest(
  ports: PolicyPorts,
  { policy, runtime, recent, target, view }: DecisionContext,
  entry: LedgerAutomatic,
  signal: AbortSignal,
): Promise<string> {
  let made: LedgerAutomatic | undefined = entry;
  if ((await createRequest(ports, policy, entry, signal)) === "Foreign") {
    made = await renameAutomatic(ports, target, view.uid, entry, recent, signal);
    // Another process renamed it: the next tick finds the name in the ledger.
    if (made === undefined) return entry.request;
    ports.record({
      type: "Warning",
      reason: "RequestNameTaken",
      action: "Decide",
      note: `RollbackRequest ${entry.request} is not ours, although it has the name of the automatic rollback, which is made as ${made.request}: see who may create RollbackRequests in ${target.namespace}`,
      regarding: policy,
    });
    await createRequest(ports, policy, made, signal);
  }
  runtime.made = new Set([...runtime.made, made.request]);
  return made.request;
}
