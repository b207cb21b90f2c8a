import type { KindDefinition } from "./kind.ts";
import { RollbackRequestSpec, RollbackRequestStatus } from "./rollback-request.ts";

export const RollbackRequestKind: KindDefinition = {
  kind: "RollbackRequest",
  plural: "rollbackrequests",
  singular: "rollbackrequest",
  shortNames: ["rbr"],
  description:
    "A RollbackRequest is one attempt to roll something back. Its spec is frozen; deleting it undoes nothing.",
  spec: RollbackRequestSpec,
  status: RollbackRequestStatus,
  columns: [
    { name: "Target", type: "string", jsonPath: ".status.target" },
    { name: "Reason", type: "string", jsonPath: ".spec.reason" },
    { name: "Phase", type: "string", jsonPath: ".status.phase" },
    { name: "Progress", type: "string", jsonPath: ".status.progress" },
    { name: "Verified", type: "string", jsonPath: '.status.conditions[?(@.type=="Verified")].status' },
    { name: "Persisted", type: "string", jsonPath: '.status.conditions[?(@.type=="Persisted")].status' },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    { name: "Message", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].message' },
    {
      name: "From",
      type: "string",
      jsonPath: ".status.plan.steps[0].from['revision','replicas','color']",
      priority: 1,
    },
    {
      name: "To",
      type: "string",
      jsonPath: ".status.plan.steps[0].to['revision','replicas','restartedAt','color']",
      priority: 1,
    },
    { name: "Requester", type: "string", jsonPath: ".spec.requestedBy", priority: 1 },
  ],
};
