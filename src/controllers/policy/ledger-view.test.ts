import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { LedgerAutomatic, LedgerExecuted, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { automaticRequestSpec } from "../ledger/automatic.ts";
import { rollbackTarget, unmadeRequests, viewLedger } from "./ledger-view.ts";

const NOW = Date.UTC(2026, 10, 22, 14, 0, 0);
const RELEASE = { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt: NOW - 60_000 };

function automatic(request: string, ageMs = 10_000, change: Partial<LedgerAutomatic> = {}): LedgerAutomatic {
  return {
    request,
    replicaSetUid: "rs-8",
    podTemplateHash: "h8",
    revision: 8,
    attempt: 1,
    at: new Date(NOW - ageMs).toISOString(),
    trigger: { policy: "api", row: "critical", signal: "error-rate" },
    ...change,
  };
}

function executed(name: string, outcome: LedgerExecuted["outcome"]): LedgerExecuted {
  return { name, uid: `uid-of-${name}`, specDigest: "d", at: new Date(NOW).toISOString(), outcome };
}

function ledger(change: Partial<RollbackLedgerSpec> = {}): RollbackLedgerSpec {
  const target = { group: "apps", kind: "Deployment", namespace: "shop", name: "api" };
  return { target, releases: [], knownGood: [], marks: [], executed: [], automatic: [], ...change };
}

function requests(phases: Readonly<Record<string, string | undefined>>) {
  return (name: string) =>
    name in phases
      ? ({
          metadata: { name, uid: `uid-of-${name}` },
          spec: automaticRequestSpec(automatic(name), "SEV1"),
          status: { phase: phases[name] },
        } as unknown as RollbackRequest)
      : undefined;
}

const stateOf = (spec: RollbackLedgerSpec, find = requests({})) =>
  viewLedger(spec, RELEASE, find, NOW).requestsOfRelease[0]?.state;

describe("viewLedger", () => {
  it.each([
    ["made a moment ago, not in the cache yet", 10_000, {}, "Open"],
    ["never made", 61_000, {}, "EndedUnapplied"],
    ["under way", 300_000, { r1: "Planning" }, "Open"],
    ["refused before its act", 300_000, { r1: "Failed" }, "EndedUnapplied"],
    ["aborted by a person", 300_000, { r1: "Aborted" }, "Aborted"],
    ["denied by a person", 300_000, { r1: "Denied" }, "Denied"],
  ])("%s", (_what, age, phases, state) => {
    expect(stateOf(ledger({ automatic: [automatic("r1", age)] }), requests(phases))).toBe(state);
  });

  it.each([
    ["Started", "Open"],
    ["Succeeded", "Applied"],
    ["Failed", "Applied"],
    ["Aborted", "Applied"],
  ] as const)("what acted has acted, whatever became of the object: %s", (outcome, state) => {
    const entry = automatic("r1", 300_000, { uid: "uid-of-r1" });
    const spec = ledger({ automatic: [entry], executed: [executed("r1", outcome)] });
    expect(stateOf(spec)).toBe(state);
    expect(stateOf(spec, requests({ r1: "Failed" }))).toBe(state);
  });

  it.each([
    ["another spec", { spec: { reason: "mine" } }],
    ["one more member in the spec", { spec: { serviceAccountName: "other" } }],
  ])("an object of that name with %s is not the automatic one", (_what, { spec: change }) => {
    const squatter = (name: string) => {
      const made = requests({ [name]: "Aborted" })(name);
      return made && { ...made, spec: { ...made.spec, ...change } };
    };
    const made = ledger({ automatic: [automatic("r1")] });
    expect(stateOf(made, squatter)).toBe("Open");
    expect(unmadeRequests(made, squatter, NOW)).toHaveLength(1);
    expect(unmadeRequests(made, requests({ r1: "Aborted" }), NOW)).toEqual([]);
  });

  it("what acted is known by its UID, not by its name", () => {
    const squatter = executed("r1", "Failed");
    const unbound = ledger({ automatic: [automatic("r1", 300_000)], executed: [squatter] });
    expect(stateOf(unbound)).toBe("EndedUnapplied");
    const bound = ledger({
      automatic: [automatic("r1", 300_000, { uid: "ours" })],
      executed: [squatter, { ...squatter, uid: "ours", outcome: "Started" }],
    });
    expect(stateOf(bound)).toBe("Open");
  });

  it("counts rollbacks of all releases, and requests of the live one only", () => {
    const other = automatic("r0", 300_000, { uid: "uid-of-r0", replicaSetUid: "rs-6", revision: 6 });
    const again = automatic("r2", 200_000, { revision: 5 });
    const spec = ledger({
      automatic: [other, again, automatic("r1")],
      executed: [{ ...executed("r0", "Succeeded"), at: new Date(NOW - 299_000).toISOString() }],
    });
    const view = viewLedger(spec, RELEASE, requests({}), NOW);
    expect(view.automaticRollbacks).toEqual([NOW - 300_000, NOW - 10_000]);
    expect(view.requestsOfRelease).toEqual([
      {
        name: "r1",
        action: "Rollback",
        plan: "application",
        at: NOW - 10_000,
        breachSince: undefined,
        state: "Open",
      },
    ]);
  });

  it("keeps what people answered when the request is deleted, and asks no deleted question again", () => {
    const old = 300_000;
    const proposed = { action: "Propose" } as const;
    const stateAfter = (change: Partial<LedgerAutomatic>, age = old) =>
      stateOf(ledger({ automatic: [automatic("r1", age, change)] }));
    expect(stateAfter({ ...proposed, answer: "Denied" })).toBe("Denied");
    expect(stateAfter({ answer: "Aborted" })).toBe("Aborted");
    expect(stateAfter(proposed)).toBe("Expired");
    expect(stateAfter(proposed, 10_000)).toBe("Waiting");
    const spec = ledger({ automatic: [automatic("r1", 10_000, { ...proposed, answer: "Denied" })] });
    expect(unmadeRequests(spec, requests({}), NOW)).toEqual([]);
  });

  it("counts a proposal from its act, which may be long after its decision", () => {
    const acted = automatic("r1", 3_600_000, { action: "Propose", uid: "uid-of-r1" });
    const spec = ledger({ automatic: [acted], executed: [executed("r1", "Succeeded")] });
    expect(viewLedger(spec, RELEASE, requests({}), NOW).automaticRollbacks).toEqual([NOW]);
  });

  it("is empty without a ledger", () => {
    expect(viewLedger(undefined, RELEASE, requests({}), NOW)).toEqual({
      automaticRollbacks: [],
      requestsOfRelease: [],
      pendingRows: new Set(),
    });
  });
});

describe("unmadeRequests", () => {
  it("names what a crash may have lost, and nothing else", () => {
    const spec = ledger({
      automatic: [
        automatic("old", 61_000),
        automatic("acted", 10_000, { uid: "uid-of-acted" }),
        automatic("there"),
        automatic("lost"),
      ],
      executed: [executed("acted", "Started")],
    });
    expect(unmadeRequests(spec, requests({ there: undefined }), NOW).map(({ request }) => request)).toEqual([
      "lost",
    ]);
  });
});

describe("rollbackTarget", () => {
  const revision = (uid: string, number: number) => ({
    uid,
    revision: number,
    formerRevisions: [],
    name: uid,
    podTemplateHash: uid.replace("rs", "h"),
    createdAt: "2026-11-22T13:00:00Z",
  });
  const good = (uid: string, number: number) => ({
    replicaSetUid: uid,
    podTemplateHash: uid.replace("rs", "h"),
    revision: number,
    since: "2026-11-22T13:00:00Z",
    evidence: "",
  });

  it("uses the numbers of now: a revision that was deployed again is newer than one that baked after it", () => {
    const spec = ledger({ knownGood: [good("rs-1", 1), good("rs-2", 2)] });
    const revisions = [revision("rs-8", 8), revision("rs-1", 7), revision("rs-2", 2)];
    expect(rollbackTarget(RELEASE, spec, revisions)).toMatchObject({ replicaSetUid: "rs-1", revision: 7 });
  });

  it("is never the live revision, one that is gone, or one that was rolled back", () => {
    const uids = fc.subarray(["rs-1", "rs-2", "rs-3", "rs-8"]);
    fc.assert(
      fc.property(uids, uids, uids, (known, existing, marked) => {
        const spec = ledger({
          knownGood: known.map((uid) => good(uid, Number(uid.slice(3)))),
          marks: marked.map((replicaSetUid) => ({
            replicaSetUid,
            podTemplateHash: "h",
            revision: 1,
            at: "2026-11-22T13:00:00Z",
            request: "r",
            reason: "",
          })),
        });
        const revisions = existing.map((uid) => revision(uid, Number(uid.slice(3))));
        const candidates = known.filter(
          (uid) => uid !== "rs-8" && existing.includes(uid) && !marked.includes(uid),
        );
        expect(rollbackTarget(RELEASE, spec, revisions)?.replicaSetUid).toBe(candidates.toSorted().at(-1));
      }),
    );
  });
});
