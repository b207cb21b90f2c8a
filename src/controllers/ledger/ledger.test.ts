import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/errors.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import { changeLedger, emptyLedger } from "./ledger.ts";

const TARGET = { group: "apps", kind: "Deployment", namespace: "shop", name: "web" };
const { signal } = new AbortController();

/** A server that has no ledger and refuses to make one, with these causes. */
function refusing(...causes: readonly string[]): KubeClient {
  const error = new KubeError({
    code: 403,
    reason: "Forbidden",
    verb: "create",
    target: "",
    path: "",
    detail: "forbidden",
    details: { causes: causes.map((reason) => ({ reason })) },
    retryable: false,
    outcomeUnknown: false,
  });
  return {
    tryGet: () => Promise.resolve(undefined),
    create: () => Promise.reject(error),
  } as unknown as KubeClient;
}

const change = (client: KubeClient) =>
  changeLedger(client, TARGET, (before) => ({ ...before, marks: [...before.marks] }), signal);

const MARK = {
  replicaSetUid: "rs",
  podTemplateHash: "h1",
  revision: 1,
  at: "2026-01-01T00:00:00Z",
  request: "r",
  reason: "why",
};

function ledgerOf(resourceVersion: string, marks: RollbackLedgerSpec["marks"]): RollbackLedger {
  const metadata = { name: "l", namespace: "shop", uid: "u", resourceVersion, creationTimestamp: "" };
  return {
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackLedger",
    metadata,
    spec: { ...emptyLedger(TARGET), marks },
  };
}

const addMark = (before: RollbackLedgerSpec) => ({ ...before, marks: [...before.marks, MARK] });

/** A server that compares resourceVersions and counts reads. */
function serverWith(stored: RollbackLedger) {
  let reads = 0;
  const conflict = new KubeError({
    code: 409,
    reason: "Conflict",
    verb: "replace",
    target: "",
    path: "",
    detail: "changed",
    retryable: false,
    outcomeUnknown: false,
  });
  const client = {
    tryGet: () => {
      reads += 1;
      return Promise.resolve(stored);
    },
    replace: (_type: unknown, object: RollbackLedger) =>
      object.metadata.resourceVersion === stored.metadata.resourceVersion
        ? Promise.resolve(object)
        : Promise.reject(conflict),
  } as unknown as KubeClient;
  return { client, reads: () => reads };
}

describe("changeLedger", () => {
  it("lets a request go whose namespace is being deleted", async () => {
    await expect(change(refusing("NamespaceTerminating"))).resolves.toMatchObject({ target: TARGET });
  });

  it("says so when a right is missing", async () => {
    await expect(change(refusing())).rejects.toThrow(/forbidden/);
  });

  describe("with one from the cache", () => {
    const cached = ledgerOf("7", []);
    const stored = ledgerOf("8", [MARK]);

    it("writes without a read when it is the newest", async () => {
      const server = serverWith(cached);
      await expect(changeLedger(server.client, TARGET, addMark, signal, cached)).resolves.toMatchObject({
        marks: [MARK],
      });
      expect(server.reads()).toBe(0);
    });

    it("changes the stored one when the cache is behind", async () => {
      const server = serverWith(stored);
      const after = await changeLedger(server.client, TARGET, addMark, signal, cached);
      expect(after.marks).toEqual([MARK, MARK]);
    });

    it("does not take the cache's word for it that there is nothing to change", async () => {
      const seen: number[] = [];
      const keep = (before: RollbackLedgerSpec) => {
        seen.push(before.marks.length);
        return before;
      };
      await expect(changeLedger(serverWith(stored).client, TARGET, keep, signal, cached)).resolves.toBe(
        stored.spec,
      );
      expect(seen).toEqual([0, 1]);
    });
  });
});
