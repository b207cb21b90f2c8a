import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { defectsOfEnd, defectsOfHistory, defectsOfOneRollback, isAtRest } from "../support/crash-facts.ts";
import { lockstep } from "../support/crash-lockstep.ts";
import {
  LONGER_SOAK,
  startCrashWorld,
  untilLeading,
  type CrashWorld,
  type ProxiedOperator,
} from "../support/crash-world.ts";
import { privateLease } from "../support/fault-proxy-lease.ts";
import { until } from "../support/world.ts";

const signal = new AbortController().signal;

/**
 * Each of the two gets a leader Lease of its own from its proxy, so both lead all the time. Everything else they
 * share, target locks included, and the proxies let their writes go in pairs.
 */
describe("two controllers that both lead", () => {
  let crashes: CrashWorld;
  let both: readonly ProxiedOperator[] = [];
  const pairs = lockstep();

  beforeAll(async () => {
    crashes = await startCrashWorld();
    const prepare = { prepare: (proxy: ProxiedOperator["proxy"]) => leadAlways(proxy) };
    both = await Promise.all([crashes.spawn(prepare), crashes.spawn(prepare)]);
    await Promise.all(both.map((operator) => untilLeading(operator)));
  }, 120_000);

  afterAll(() => crashes?.stop(), 60_000);

  function leadAlways(proxy: ProxiedOperator["proxy"]): void {
    proxy.intercept(privateLease(pairs.interceptor));
  }

  function untilAllAtRest(namespace: string, count: number): Promise<readonly RollbackRequest[]> {
    return until(
      `requests in ${namespace} at rest`,
      async () => (await crashes.world.client.list(ROLLBACK_REQUESTS, { namespace, signal })).items,
      (items) => items.length === count && items.every(isAtRest),
      60_000,
    );
  }

  it("ten requests on ten Deployments: each is patched once", async () => {
    const namespace = await crashes.world.tenant("ten");
    const names = Array.from({ length: 10 }, (_, index) => `web-${index + 1}`);
    await crashes.releaseTwice(namespace, names);
    const before = pairs.meetings();

    await Promise.all(
      names.map((name) => crashes.createRequest(namespace, name, name, { soak: LONGER_SOAK })),
    );
    await untilAllAtRest(namespace, names.length);

    const defects = await Promise.all(
      names.map(async (name) =>
        defectsOfOneRollback(await crashes.facts(namespace, name)).map((defect) => `${name}: ${defect}`),
      ),
    );
    expect(defects.flat()).toEqual([]);
    // Both really acted: far more than by chance did they write to one object at one instant.
    expect(pairs.meetings() - before).toBeGreaterThan(names.length);
    expect(await Promise.all(both.map((operator) => operator.isLeading()))).toEqual([true, true]);
  }, 120_000);

  it("five requests on one Deployment: none acts twice, none on what another one made", async () => {
    const namespace = await crashes.world.tenant("one");
    for (const version of ["v1", "v2", "v3", "v4", "v5", "v6"]) {
      await crashes.applyVersion(namespace, ["web"], version);
    }
    const revisions = [1, 2, 3, 4, 5];

    await Promise.all(
      revisions.map((revision) =>
        crashes.createRequest(namespace, `to-${revision}`, "web", { to: { revision }, soak: LONGER_SOAK }),
      ),
    );
    const requests = await untilAllAtRest(namespace, revisions.length);

    const facts = await crashes.facts(namespace, "web");
    const acted = requests.filter(({ status }) => status?.steps?.[0]?.state === "Succeeded");
    const others = requests.filter((request) => !acted.includes(request));
    expect(acted.length).toBeGreaterThan(0);
    expect(facts.patches).toHaveLength(acted.length);
    // A request acts on the release that it was accepted on, so no two can have acted on the same one.
    const from = acted.map(({ status }) => status?.plan?.steps[0]?.from?.revision);
    expect(new Set(from).size).toBe(acted.length);
    expect(others.map(({ status }) => status?.phase)).toEqual(others.map(() => "Superseded"));
    expect(others.filter(({ status }) => status?.steps !== undefined)).toEqual([]);
    expect(facts.ledger?.executed.map(({ uid }) => uid).sort()).toEqual(
      acted.map(({ metadata }) => metadata.uid).sort(),
    );
    expect(facts.ledger?.executed.map(({ outcome }) => outcome)).toEqual(acted.map(() => "Succeeded"));
    expect(facts.ledger?.marks).toHaveLength(acted.length);
    expect(facts.locks).toEqual([]);
    expect(
      requests.flatMap((request) => [
        ...defectsOfEnd(request),
        ...defectsOfHistory(facts.statusWrites(request.metadata.name)),
      ]),
    ).toEqual([]);
    const last = acted.at(-1)?.status?.steps?.[0]?.after?.images;
    if (acted.length === 1) expect([facts.image]).toEqual(last);
  }, 120_000);
});
