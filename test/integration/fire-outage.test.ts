import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isUnauthorized } from "../../src/kube/errors.ts";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { leaseType, secretType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { CONNECTION_LOST } from "../support/fault-proxy.ts";
import { page, startFireLab, type FireLab } from "../support/fire-lab.ts";
import { failureOf, openClient } from "../support/kube-lab.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { openShop, OPERATOR_USER, type Shop } from "../support/shop.ts";
import { until } from "../support/world.ts";

const { signal } = new AbortController();
const LEASE = { namespace: "rollback-system", name: "rollback-operator" };
/** Backoffs of the queue end at 30 s. */
const PATIENCE_MS = 60_000;

let lab: FireLab;
let operator: OperatorProcess | undefined;

beforeAll(async () => {
  lab = await startFireLab();
}, 120_000);

afterEach(async () => {
  lab.proxy.intercept(undefined);
  lab.proxy.interceptWatches(undefined);
  await operator?.stop();
}, 30_000);

afterAll(() => lab?.stop(), 60_000);

async function shop(namespace: string): Promise<Shop> {
  const opened = await openShop(lab.world, namespace);
  await opened.open();
  await opened.release("web:v2");
  return opened;
}

async function isDoneOnce(opened: Shop, request: string): Promise<void> {
  const ended = await opened.ended(request, PATIENCE_MS);
  expect(ended.status?.phase).toBe("Succeeded");
  expect((await opened.acts()).map(({ verb }) => verb)).toEqual(["patch"]);
}

async function isReady(process: OperatorProcess, status: 200 | 503): Promise<string> {
  const { text } = await until(
    `/readyz answers ${status}`,
    () => page(process, "/readyz"),
    (now) => now.status === status,
    PATIENCE_MS,
  );
  return text;
}

async function leads(process: OperatorProcess): Promise<void> {
  await until(
    "the operator leads",
    () => page(process, "/metrics"),
    ({ text }) => /^leader_election_master_status 1$/m.test(text),
  );
}

function silence(): void {
  const never = () => new Promise<never>(() => undefined);
  lab.proxy.intercept(never);
  lab.proxy.interceptWatches(never);
}

describe("an API server that is not there when the operator starts", () => {
  it.each(["refuses connections", "accepts and never answers"])(
    "%s: alive, not ready, says why; what was asked for meanwhile is done afterwards",
    async (how) => {
      const opened = await shop(how.startsWith("refuses") ? "start-refused" : "start-silent");
      if (how.startsWith("refuses")) {
        lab.proxy.intercept(async () => CONNECTION_LOST);
        lab.proxy.interceptWatches(async () => Promise.reject(new Error("refused")));
      } else silence();
      operator = await lab.start({ awaitReady: false });
      await opened.ask("undo");
      const said = await isReady(operator, 503);
      expect(said).toMatch(/rollbackrequests/);
      expect((await page(operator, "/healthz")).status).toBe(200);
      if (how.startsWith("refuses")) {
        const why = await until(
          "/readyz names the failure",
          () => page(operator as OperatorProcess, "/readyz"),
          ({ text }) => /connection lost/.test(text),
        );
        expect(why.status).toBe(503);
      }
      expect(await opened.acts()).toEqual([]);
      lab.proxy.intercept(undefined);
      lab.proxy.interceptWatches(undefined);
      lab.proxy.hangUp();
      await isReady(operator, 200);
      await isDoneOnce(opened, "undo");
    },
    150_000,
  );
});

describe("a leader that loses the API server", () => {
  it("exits when its lease cannot be renewed, acts no more, and its successor finishes the work once", async () => {
    const opened = await shop("partition");
    operator = await lab.start();
    await leads(operator);
    silence();
    lab.proxy.hangUp();
    await opened.ask("undo");
    expect(await operator.ended).toBe(1);
    expect(await opened.acts()).toEqual([]);
    expect((await opened.request("undo")).status?.phase).toBeUndefined();
    lab.proxy.intercept(undefined);
    lab.proxy.interceptWatches(undefined);
    operator = await lab.start();
    await isDoneOnce(opened, "undo");
  }, 120_000);

  it("exits when another takes the lease, and writes nothing more", async () => {
    const opened = await shop("stolen");
    operator = await lab.start();
    await leads(operator);
    await until(
      "the lease is stolen",
      async () => {
        const now = await lab.world.client.get(leaseType, LEASE, { signal });
        const spec = { ...now.spec, holderIdentity: "thief" };
        return failureOf(lab.world.client.replace(leaseType, { ...now, spec }, { signal }));
      },
      (failure) => failure === undefined,
    );
    const stolenAt = new Date().toISOString();
    expect(await operator.ended).toBe(1);
    await opened.ask("undo");
    const audit = await readAudit(lab.world.controlPlane.auditLogPath);
    const later = audit
      .writes({ user: OPERATOR_USER })
      .filter(({ requestReceivedTimestamp }) => requestReceivedTimestamp > stolenAt);
    expect(later.filter(({ objectRef }) => objectRef?.resource !== "events")).toEqual([]);
    expect((await lab.world.client.get(leaseType, LEASE, { signal })).spec?.holderIdentity).toBe("thief");
    // The thief never comes back: once its time is over another operator leads.
    operator = await lab.start();
    await isDoneOnce(opened, "undo");
  }, 120_000);
});

interface TokenRequest extends KubeObject {
  readonly status: { readonly token: string };
}

describe("a token that rotates", () => {
  it("is read again when the old one is refused", async () => {
    const { client, controlPlane } = lab.world;
    const opened = await shop("rotation");
    const bound = { namespace: "rollback-system", name: "bound" };
    await client.create(secretType, { metadata: bound }, { signal });
    const made = await lab.world.kubectl([
      "create",
      "token",
      "rollback-operator",
      "--namespace=rollback-system",
      "--bound-object-kind=Secret",
      "--bound-object-name=bound",
    ]);
    const old = made.trim();
    operator = await lab.start({ token: old, inCluster: true, name: "rotating" });
    // The kubelet puts the new one into the file; the old one ends with the object that it is bound to.
    const file = join(controlPlane.dir, "operator", "rotating.serviceaccount", "token");
    await writeFile(file, lab.world.operatorToken);
    await client.delete(secretType, bound, { signal });
    const stranger = openClient(controlPlane, old);
    const reviewType = defineResource<TokenRequest>({
      apiVersion: "authentication.k8s.io/v1",
      kind: "SelfSubjectReview",
      plural: "selfsubjectreviews",
      namespaced: false,
    });
    await until(
      "the old token is refused",
      () => failureOf(stranger.client.create(reviewType, { metadata: {} }, { signal })),
      (failure) => isUnauthorized(failure),
      PATIENCE_MS,
    );
    await stranger.transport.close();
    await opened.ask("undo");
    await isDoneOnce(opened, "undo");
    expect((await page(operator, "/metrics")).text).toMatch(/rest_client_requests_total\{[^}]*code="401"/);
    expect((await page(operator, "/readyz")).status).toBe(200);
  }, 150_000);
});
