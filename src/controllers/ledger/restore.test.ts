import { describe, expect, it } from "@jest/globals";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { recordKnownGood, recordOutcome } from "./changes.ts";
import { emptyLedger } from "./ledger.ts";
import { restoreFromJournal } from "./restore.ts";

const EMPTY = emptyLedger({ group: "apps", kind: "Deployment", namespace: "shop", name: "web" });
const AT = "2026-01-01T00:00:00Z";

function revision(number: number) {
  return {
    revision: number,
    uid: `rs-${number}`,
    name: `rs-${number}`,
    podTemplateHash: `h${number}`,
    images: [],
  };
}

function request(change: { readonly step?: object; readonly automatic?: boolean } = {}): RollbackRequest {
  const automatic = change.automatic ?? false;
  return {
    metadata: { namespace: "shop", name: "undo", uid: "u1" },
    spec: { reason: "5xx" },
    status: {
      resolved: { serviceAccountName: "a", specDigest: "d", automatic },
      plan: {
        digest: "p",
        steps: [
          {
            name: "app",
            action: "workload",
            object: "Deployment/web",
            objectUid: "t",
            from: revision(2),
            to: revision(1),
          },
        ],
      },
      steps: [
        {
          name: "app",
          state: "Succeeded",
          startedAt: AT,
          after: { ...revision(1), revision: 3 },
          ...change.step,
        },
      ],
      timeline: { decided: AT },
      ...(automatic ? { trigger: { policy: "web", row: "critical" } } : {}),
    },
  } as unknown as RollbackRequest;
}

describe("restoreFromJournal", () => {
  it("brings back that the request ran, what it made and what it left", () => {
    expect(restoreFromJournal(EMPTY, request())).toEqual({
      ...EMPTY,
      executed: [{ name: "undo", uid: "u1", specDigest: "d", at: AT, outcome: "Started" }],
      marks: [
        { replicaSetUid: "rs-2", podTemplateHash: "h2", revision: 2, at: AT, request: "undo", reason: "5xx" },
      ],
      releases: [
        {
          targetUid: "t",
          replicaSetUid: "rs-1",
          podTemplateHash: "h1",
          revision: 3,
          startedAt: AT,
          rollbackBy: "undo",
        },
      ],
    });
  });

  it("brings back what was undone, and blames only what was rolled back", () => {
    const { status, ...rest } = request();
    const [plan, step] = [status?.plan?.steps[0], status?.steps?.[0]];
    const undo = { name: "undo-app", from: { ...revision(1), revision: 3 }, to: revision(2) };
    const after = { ...revision(2), revision: 4 };
    const undone = {
      ...rest,
      status: {
        ...status,
        plan: { digest: "p", steps: [plan, { ...plan, ...undo }] },
        steps: [step, { ...step, name: "undo-app", undoes: "app", after }],
      },
    } as unknown as RollbackRequest;

    const { marks, releases } = restoreFromJournal(EMPTY, undone);

    expect(marks.map(({ revision: of }) => of)).toEqual([2]);
    expect(releases.map(({ revision: of, rollbackBy }) => [of, rollbackBy])).toEqual([
      [3, "undo"],
      [4, "undo"],
    ]);
  });

  it("brings back the decision of an automatic one, bound to it", () => {
    expect(restoreFromJournal(EMPTY, request({ automatic: true })).automatic).toMatchObject([
      {
        request: "undo",
        uid: "u1",
        replicaSetUid: "rs-2",
        revision: 2,
        at: AT,
        trigger: { row: "critical" },
      },
    ]);
  });

  it("leaves a ledger alone that knows the request, whatever was cleared since", () => {
    const whole = recordOutcome(restoreFromJournal(EMPTY, request()), "u1", "Succeeded", "RolledBack");
    const cleared = recordKnownGood(whole, {
      replicaSetUid: "rs-2",
      podTemplateHash: "h2",
      revision: 4,
      since: AT,
      evidence: "",
    });
    expect(cleared.marks).toEqual([]);
    expect(restoreFromJournal(cleared, request())).toBe(cleared);
  });

  it("claims nothing that did not happen", () => {
    expect(restoreFromJournal(EMPTY, request({ step: { startedAt: undefined } }))).toBe(EMPTY);
    const announced = restoreFromJournal(EMPTY, request({ step: { after: undefined } }));
    expect(announced.executed).toHaveLength(1);
    expect([...announced.marks, ...announced.releases]).toEqual([]);
  });
});
