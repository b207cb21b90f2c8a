import { describe, expect, it } from "@jest/globals";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import type { TemporaryChange } from "../../crds/temporary-change.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { nextDueAt, recordDue, removeDue, settleDue, startHold, type DueOwner } from "./due.ts";
import { emptyLedger } from "./ledger.ts";

const EMPTY = emptyLedger({ group: "", kind: "Service", namespace: "shop", name: "web" });
const NOON = Date.parse("2026-01-01T12:00:00Z");

const onlyWhile = (selectorDigest: string) => ({ object: "Service/web", objectUid: "web", selectorDigest });
const raiseMin: TemporaryChange = {
  change: "MinReplicas",
  object: "HorizontalPodAutoscaler/blue",
  objectUid: "hpa",
  found: 1,
  during: 3,
  restore: 1,
  holdFor: "1h",
};
const bringUp: TemporaryChange = {
  change: "Replicas",
  object: "Deployment/blue",
  objectUid: "blue",
  found: 0,
  during: 3,
  restore: 0,
  holdFor: "1h",
  onlyWhile: onlyWhile("green"),
};
const takeAway: TemporaryChange = {
  change: "Replicas",
  object: "Deployment/green",
  objectUid: "green",
  found: 3,
  during: 3,
  restore: 0,
  holdFor: "1h",
  onlyWhile: onlyWhile("blue"),
};

function owner(
  requestUid: string,
  temporary: readonly TemporaryChange[],
): DueOwner & { planned: PlannedStep } {
  return {
    request: `undo-${requestUid}`,
    requestUid,
    serviceAccountName: "rollback-executor",
    objects: ["Service/web", "Deployment/blue", "Deployment/green"],
    planned: {
      name: "traffic",
      digest: "d",
      action: "blueGreen",
      object: "Service/web",
      objectUid: "web",
      from: { selectorDigest: "green" },
      to: { selectorDigest: "blue" },
      temporary: [...temporary],
      changes: [],
      warnings: [],
    },
  };
}

function request(of: ReturnType<typeof owner>, phase: "Succeeded" | "Failed", began: boolean) {
  const step = began ? { startedAt: "2026-01-01T11:00:00Z" } : {};
  return {
    metadata: { uid: of.requestUid },
    status: {
      phase,
      plan: { digest: "d", steps: [of.planned] },
      steps: [{ name: "traffic", state: "Failed", ...step }],
    },
  } as unknown as RollbackRequest;
}

const objects = (ledger: typeof EMPTY) => (ledger.due ?? []).map(({ object }) => object);

describe("temporary changes in the ledger", () => {
  const first = owner("1", [raiseMin, bringUp, takeAway]);
  const recorded = recordDue(EMPTY, first, NOON);

  it("are recorded with the latest time, once", () => {
    expect(objects(recorded)).toEqual([raiseMin.object, bringUp.object, takeAway.object]);
    expect(nextDueAt(recorded)).toBe(NOON + 3_600_000);
    expect(recorded.due?.[0]).toEqual({
      change: "MinReplicas",
      object: raiseMin.object,
      objectUid: "hpa",
      during: 3,
      restore: 1,
      dueAt: "2026-01-01T13:00:00.000Z",
      request: "undo-1",
      requestUid: "1",
      step: "traffic",
      serviceAccountName: "rollback-executor",
    });
    expect(recordDue(recorded, first, NOON)).toBe(recorded);
  });

  it("hold from the end of the step; what was for the case that it does not end is void", () => {
    const held = startHold(recorded, first, NOON - 60_000);

    expect(objects(held)).toEqual([raiseMin.object, takeAway.object]);
    expect(nextDueAt(held)).toBe(NOON + 3_540_000);
    expect(startHold(held, first, NOON - 60_000)).toBe(held);
  });

  it("come back with the end of the step where the ledger was deleted", () => {
    expect(objects(startHold(EMPTY, first, NOON))).toEqual([raiseMin.object, takeAway.object]);
  });

  it("are void where a later request acts on the same objects", () => {
    const held = startHold(recorded, first, NOON);
    const back = owner("2", []);

    expect(objects(recordDue(held, back, NOON))).toEqual([raiseMin.object]);
    expect(objects(recordDue(held, owner("3", [{ ...raiseMin, found: 3, during: 5 }]), NOON))).toEqual([
      raiseMin.object,
    ]);
    // Another object of the same ledger keeps what it has.
    expect(objects(recordDue(held, { ...back, objects: ["Deployment/blue"] }, NOON))).toEqual([
      raiseMin.object,
      takeAway.object,
    ]);
  });

  it("of a request that did not succeed only put back what was raised", () => {
    expect(settleDue(recorded, request(first, "Succeeded", true))).toBe(recorded);
    expect(objects(settleDue(recorded, request(first, "Failed", true)))).toEqual([
      raiseMin.object,
      bringUp.object,
    ]);
    expect(objects(settleDue(recorded, request(owner("2", []), "Failed", true)))).toHaveLength(3);
  });

  it("of a step that never began are gone", () => {
    expect(settleDue(recorded, request(first, "Failed", false))).toEqual(EMPTY);
  });

  it("are taken out one by one, and the list with the last", () => {
    let ledger = recorded;
    for (const entry of recorded.due ?? []) ledger = removeDue(ledger, entry);

    expect(ledger).toEqual(EMPTY);
    expect(nextDueAt(ledger)).toBeUndefined();
  });

  it("are never dropped for want of room", () => {
    const many = Array.from({ length: 51 }, (_, index) => ({ ...takeAway, objectUid: String(index) }));

    expect(() => recordDue(EMPTY, owner("1", many), NOON)).toThrow(RangeError);
  });
});
