import { describe, expect, it } from "@jest/globals";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { KubeError } from "../../kube/errors.ts";
import { targetHash } from "../ledger/ledger.ts";
import type { RequestPorts } from "./ports.ts";
import type { LockState } from "./target-lock.ts";
import { takeLock } from "./prepare.ts";
import { look } from "./step.ts";
import type { Resolved } from "./resolve.ts";
import { NOW, requestOf, situationOf, WHOLE_PLAN } from "./testing/situations.ts";

const TARGET = targetHash({ group: "apps", kind: "Deployment", namespace: "shop", name: "web" });
const signal = new AbortController().signal;
const LEDGER: RollbackLedgerSpec = {
  target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
  releases: [],
  knownGood: [],
  marks: [],
  executed: [],
  automatic: [],
};

/** Ports of which only the lock and the ledger are there. */
function portsWith(lock: LockState, ledger: RollbackLedgerSpec): RequestPorts {
  return {
    client: { tryGet: async () => ({ spec: ledger }), as: () => ({}) },
    clock: { now: () => NOW },
    locks: { takeAll: async () => lock },
  } as unknown as RequestPorts;
}

function situation() {
  const known = situationOf(requestOf(), {
    plan: { kind: "Planned", plan: WHOLE_PLAN },
    ledgers: new Map([[TARGET, LEDGER]]),
  });
  return { ...known, resolution: known.resolution as Resolved };
}

describe("taking the target's lock", () => {
  it("keeps the plan when nothing was recorded since", async () => {
    const next = await takeLock(portsWith({ kind: "Held" }, { ...LEDGER }), situation(), signal);

    expect(next.lock).toEqual({ kind: "Held" });
    expect(next.plan).toMatchObject({ kind: "Planned" });
  });

  it("drops a plan that was made before another request recorded what it did", async () => {
    const product = {
      targetUid: "t",
      replicaSetUid: "uid-2",
      podTemplateHash: "h2",
      revision: 4,
      rollbackBy: "other",
    };
    const newer = { ...LEDGER, releases: [product] };

    const next = await takeLock(portsWith({ kind: "Held" }, newer), situation(), signal);

    expect(next.lock).toEqual({ kind: "Held" });
    expect(next.plan).toBeUndefined();
    expect(next.ledgers.get(TARGET)).toEqual(newer);
  });
});

describe("looking", () => {
  const failing = (code: number, reason: string) =>
    ({
      ...portsWith({ kind: "Held" }, LEDGER),
      client: {
        as: () => ({
          tryGet: () =>
            Promise.reject(
              new KubeError({
                code,
                reason,
                verb: "get",
                target: "deployments.apps shop/web",
                path: "",
                detail: "said the server",
                retryable: false,
                outcomeUnknown: false,
              }),
            ),
        }),
      },
    }) as unknown as RequestPorts;
  const announced = () => {
    const known = situationOf(requestOf({ step: {} }));
    return { ...known, resolution: known.resolution as Resolved };
  };

  it("without the right to is a fact, not a failure: the request must be able to end", async () => {
    const { progress } = await look(failing(403, "Forbidden"), announced(), signal);

    expect(progress).toMatchObject({
      kind: "Unreadable",
      message: expect.stringContaining("Deployment/web any more"),
    });
  });

  it("without an answer is tried again", async () => {
    await expect(look(failing(503, "ServiceUnavailable"), announced(), signal)).rejects.toThrow(/503/);
  });
});
