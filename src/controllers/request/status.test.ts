import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { statusComplaints } from "../../../test/support/kstatus.ts";
import { decide } from "./decide.ts";
import type { Ending } from "./decision.ts";
import { isFinished } from "./phase.ts";
import type { Resolved } from "./resolve.ts";
import {
  acceptedFacts,
  announcedFacts,
  checkFacts,
  finalStatus,
  runningStatus,
  stepFacts,
  timelineFacts,
  type Activity,
} from "./status.ts";
import {
  anySituation,
  anyVerification,
  NOW,
  PLAN,
  requestOf,
  situationOf,
  WHOLE_PLAN,
} from "./testing/situations.ts";

const message = fc.constantFrom("short", "x".repeat(40_000));
const activity: fc.Arbitrary<Activity> = fc.record({
  phase: fc.constantFrom(
    "Pending" as const,
    "Planning" as const,
    "AwaitingApproval" as const,
    "Applying" as const,
    "Verifying" as const,
  ),
  reason: fc.constantFrom("Planning", "TargetBusy", "Applying", "AccessDenied", "AwaitingApproval"),
  message,
  approved: fc.constantFrom(
    undefined,
    { status: "Unknown" as const, reason: "AwaitingApproval", message: "m" },
    { status: "False" as const, reason: "PlanChanged", message: "m" },
    { status: "True" as const, reason: "Approved", message: "m" },
  ),
});
const ending: fc.Arbitrary<Ending> = fc.record(
  {
    phase: fc.constantFrom(
      "Succeeded" as const,
      "Failed" as const,
      "Compensated" as const,
      "Superseded" as const,
      "Denied" as const,
      "Expired" as const,
      "Aborted" as const,
    ),
    reason: fc.constantFrom("RolledBack", "Stuck", "NothingToDo"),
    message,
    verified: fc.constantFrom(
      { status: "True" as const, reason: "Passed" },
      { status: "False" as const, reason: "Failed" },
      { status: "Unknown" as const, reason: "Inconclusive" },
    ),
  },
  { requiredKeys: ["phase", "reason", "message"] },
);

/** The object as the server stores it: the next resourceVersion; a deletion in between counts as a new generation. */
function stored(request: RollbackRequest, status: RollbackRequestStatus, deleted = false): RollbackRequest {
  const { resourceVersion, generation = 1 } = request.metadata;
  return {
    ...request,
    metadata: {
      ...request.metadata,
      resourceVersion: String(Number(resourceVersion) + 1),
      generation: deleted ? generation + 1 : generation,
      ...(deleted ? { deletionTimestamp: "2026-01-01T00:10:00Z" } : {}),
    },
    status: JSON.parse(JSON.stringify(status)) as RollbackRequestStatus,
  };
}

describe("the status of a request", () => {
  it("reads well to every waiter, over any sequence of activities and whatever the end", () => {
    fc.assert(
      fc.property(fc.array(activity, { maxLength: 6 }), fc.option(ending), (activities, end) => {
        const versions = [requestOf()];
        let request = requestOf();
        let now = NOW;
        for (const each of activities) {
          now += 1_500;
          request = stored(request, runningStatus(request, {}, each, now));
          versions.push(request);
        }
        if (end !== null) versions.push(stored(request, finalStatus(request, {}, end, now + 700)));

        expect(statusComplaints(versions)).toEqual([]);
      }),
    );
  });

  it("is one that the API server takes, however long the texts are", () => {
    const situation = situationOf(requestOf(), { plan: { kind: "Planned", plan: WHOLE_PLAN } });
    fc.assert(
      fc.property(activity, ending, anyVerification, message, (doing, end, { checks }, text) => {
        const announced = stored(
          situation.request,
          runningStatus(situation.request, announcedFacts(situation, NOW), doing, NOW),
        );
        const facts = {
          ...stepFacts(announced, 0, {
            state: "Failed",
            message: text,
            finishedAt: new Date(NOW).toISOString(),
          }),
          ...timelineFacts(announced, { verified: new Date(NOW).toISOString() }),
          ...checkFacts(checks),
        };
        const final = finalStatus(announced, facts, end, NOW);

        expect(RollbackRequestStatus.safeParse(announced.status).error).toBeUndefined();
        expect(RollbackRequestStatus.safeParse(JSON.parse(JSON.stringify(final))).error).toBeUndefined();
      }),
    );
  });

  it("is final after every ending that is ever decided", () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const decision = decide(situation, NOW);
        if (decision.kind !== "Finish") return;
        const status = finalStatus(situation.request, {}, decision.ending, NOW);

        expect(isFinished({ ...situation.request, status })).toBe(true);
        expect(status.observedGeneration).toBe(situation.request.metadata.generation);
      }),
    );
  });

  it("keeps what was accepted, whatever is planned later", () => {
    const situation = situationOf(requestOf(), { plan: { kind: "Planned", plan: WHOLE_PLAN } });
    const accepted = stored(
      situation.request,
      runningStatus(
        situation.request,
        acceptedFacts(situation, NOW),
        { phase: "Pending", reason: "TargetBusy", message: "" },
        NOW,
      ),
    );
    const later = situationOf(accepted, {
      plan: { kind: "Planned", plan: { ...WHOLE_PLAN, digest: "later" } },
      resolution: { ...situation.resolution, specDigest: "s" } as Resolved,
    });

    const facts = acceptedFacts(later, NOW + 60_000);

    expect(facts.plan?.steps[0]?.from).toEqual(PLAN.from);
    expect(facts.timeline?.accepted).toBe(new Date(NOW).toISOString());
  });
});
