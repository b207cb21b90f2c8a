import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/errors.ts";
import { changeLedger } from "./ledger.ts";

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

describe("changeLedger", () => {
  it("lets a request go whose namespace is being deleted", async () => {
    await expect(change(refusing("NamespaceTerminating"))).resolves.toMatchObject({ target: TARGET });
  });

  it("says so when a right is missing", async () => {
    await expect(change(refusing())).rejects.toThrow(/forbidden/);
  });
});
