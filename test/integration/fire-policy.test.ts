import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { configMapType } from "../../src/kube/well-known.ts";
import {
  proxyIdentity,
  startFaultProxy,
  statusAnswer,
  type ApiCall,
  type FaultProxy,
  type Interceptor,
} from "../support/fault-proxy.ts";
import {
  answered,
  cutAt,
  first,
  isAct,
  isStatusWrite,
  lostAfterwards,
  oneInThree,
  within,
} from "../support/faults.ts";
import { page } from "../support/fire-lab.ts";
import { inParallel } from "../support/in-parallel.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { until } from "../support/world.ts";

/** Calls that fail are tried again after backoffs of up to 30 s, and the machine may be busy. */
const PATIENCE_MS = 120_000;
const { signal } = new AbortController();

const isCreate = ({ method, path }: ApiCall) => method === "POST" && path.endsWith("/rollbackrequests");
const isLedgerWrite = ({ method, path }: ApiCall) => method !== "GET" && path.includes("/rollbackledgers");
const onWrites =
  (next: Interceptor): Interceptor =>
  (call, forward) =>
    call.method === "GET" ? forward() : next(call, forward);

/** By the namespace of the story. All begin with the breach; each is as many as would be met in a bad minute. */
const FAULTS: Readonly<Record<string, Interceptor>> = {
  "status-429": first(
    12,
    isStatusWrite,
    answered(statusAnswer(429, "TooManyRequests", ["retry-after", "1"])),
  ),
  "status-500": first(12, isStatusWrite, answered(statusAnswer(500, "InternalError"))),
  "status-cut": first(12, isStatusWrite, cutAt(1)),
  "ledger-cut": first(4, isLedgerWrite, cutAt(1)),
  "create-lost": first(2, isCreate, lostAfterwards),
  "act-lost": first(1, isAct, lostAfterwards),
  "one-in-three": onWrites(oneInThree(answered(statusAnswer(500, "InternalError")))),
};

/** A kibibyte short of what the API server takes for all annotations of an object. */
const LARGEST = { "example.com/large": "x".repeat(255 * 1_024) };
const LARGE = { "example.com/large": "x".repeat(200 * 1_024) };

let lab: PolicyLab;
let proxy: FaultProxy;
const faults = new Map<string, Interceptor>();

beforeAll(async () => {
  lab = await startPolicyLab({
    namespaces: [...Object.keys(FAULTS), "large"],
    config: { limits: { automaticRollbacksPer10Minutes: 50 } },
    behind: async (controlPlane) => {
      proxy = await startFaultProxy(controlPlane, await proxyIdentity(controlPlane.dir, "proxy"));
      return proxy;
    },
  });
  proxy.intercept((call, forward) => {
    const namespace = /\/namespaces\/([^/]+)\//.exec(call.path)?.[1] ?? "";
    const fault = faults.get(namespace);
    return fault === undefined ? forward() : within(namespace, fault)(call, forward);
  });
}, 120_000);

afterAll(async () => {
  await lab?.stop();
  await proxy?.close();
}, 60_000);

async function ready(namespace: string): Promise<PolicyService> {
  const service = await lab.service(namespace);
  await service.watch();
  await service.baked();
  await service.released();
  return service;
}

async function isRolledBackOnce(service: PolicyService): Promise<void> {
  const automatic = await until(
    `an automatic request in ${service.namespace}`,
    () => service.requests(),
    (items) => items.length > 0,
    PATIENCE_MS,
  );
  await until(
    `${service.namespace} runs v1 again`,
    () => service.shop.live(),
    ({ spec }) => spec.template.spec.containers[0]?.image === "web:v1",
    PATIENCE_MS,
  );
  // The rollback helps.
  service.traffic(50, 0);
  const ended = await service.shop.ended(automatic[0]?.metadata.name ?? "", PATIENCE_MS);
  expect(ended.status?.phase).toBe("Succeeded");
  await until(
    `the policy of ${service.namespace} sees that it is over`,
    () => service.policy(),
    ({ status }) =>
      status?.conditions?.some(({ type, reason }) => type === "Breached" && reason === "NoBreach") === true,
    PATIENCE_MS,
  );
  const acts = (await service.acts()).map(({ verb, objectRef }) => `${verb} ${objectRef?.resource ?? ""}`);
  expect(acts).toEqual(["create rollbackrequests", "patch deployments"]);
  expect((await service.ledger())?.spec.automatic).toHaveLength(1);
}

describe("a breach while answers of the API server fail", () => {
  inParallel(
    Object.fromEntries(
      Object.entries(FAULTS).map(([namespace, fault]) => [
        `${namespace}: rolled back exactly once`,
        async () => {
          const service = await ready(namespace);
          faults.set(namespace, fault);
          service.traffic(50, 0.5);
          await isRolledBackOnce(service);
          faults.delete(namespace);
        },
      ]),
    ),
    400_000,
  );

  it("leaves only statuses that waiters can read, and counts of what failed", async () => {
    expect(await lab.complaints()).toEqual([]);
    const { text } = await page(lab.operator(), "/metrics");
    for (const code of ["0", "429", "500"]) {
      expect(text).toMatch(new RegExp(`rest_client_requests_total\\{[^}]*code="${code}"[^}]*\\} [1-9]`));
    }
  });
});

describe("annotations as large as the API server takes", () => {
  it("on the kill switch: it is obeyed; on a Deployment: it is rolled back, and they stay", async () => {
    const { client } = lab.world;
    const service = await ready("large");
    const name = { namespace: "rollback-system", name: "rollback-kill-switch" };
    await client.create(
      configMapType,
      { metadata: { ...name, annotations: LARGEST }, data: { stop: "true" } },
      { signal },
    );
    await service.shop.edit([
      { op: "add", path: "/metadata/annotations/example.com~1large", value: LARGE["example.com/large"] },
    ]);
    service.traffic(50, 0.5);
    await service.held("KillSwitch");
    await client.delete(configMapType, name, { signal });
    await isRolledBackOnce(service);
    const { metadata } = await service.shop.live();
    expect(metadata.annotations).toMatchObject(LARGE);
  }, 300_000);
});
