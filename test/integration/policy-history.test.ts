import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mergePatch } from "../../src/kube/patch.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS, type RollbackPolicy } from "../../src/kube/rollback-kinds.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { openShop, OPERATOR_USER, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const { signal } = new AbortController();
const OF_WEB = { policyRef: { name: "web" } };

describe("finished requests beyond a policy's history", () => {
  let world: World;
  let shop: Shop;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    shop = await openShop(world, "shop");
    await shop.open();
    await shop.release("web:v2");
    const spec = {
      target: { kind: "Deployment", name: "web" },
      suspend: true,
      signals: [{ name: "s", prometheus: { query: "vector(1)" } }],
      matrix: [{ name: "r", when: { signal: "s", above: "2" }, action: "Notify" }],
      history: { successful: 2, failed: 1 },
    } as unknown as RollbackPolicy["spec"];
    await world.client.create(
      ROLLBACK_POLICIES,
      { metadata: { namespace: "shop", name: "web" }, spec },
      { signal },
    );
  }, 120_000);

  afterAll(() => world?.stop(), 60_000);

  const names = async () =>
    (await world.client.list(ROLLBACK_REQUESTS, { namespace: "shop", signal })).items
      .map(({ metadata }) => metadata.name)
      .toSorted();

  const leaves = (...expected: string[]) =>
    until(`only ${expected.join()} are left`, names, (found) => found.join() === expected.toSorted().join());

  async function deletions(): Promise<readonly AuditEvent[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit.writes({ resource: "rollbackrequests", verb: "delete", user: OPERATOR_USER });
  }

  /** Ends as Succeeded, DryRun. */
  async function succeed(name: string, spec = {}): Promise<void> {
    await shop.ask(name, { revision: 1 }, { ...OF_WEB, dryRun: true, ...spec });
    expect((await shop.ended(name)).status?.phase).toBe("Succeeded");
  }

  /** Ends as Superseded: something else is live. */
  async function fail(name: string): Promise<void> {
    await shop.ask(name, { revision: 1 }, { ...OF_WEB, expect: { podTemplateHash: "else" } });
    expect((await shop.ended(name)).status?.phase).toBe("Superseded");
  }

  it("are deleted, oldest first; those of nobody's policy and those that Git holds stay", async () => {
    await succeed("free", { policyRef: undefined });
    await succeed("held");
    const labels = { "kustomize.toolkit.fluxcd.io/name": "apps" };
    await world.client.patch(
      ROLLBACK_REQUESTS,
      { namespace: "shop", name: "held" },
      mergePatch({ metadata: { labels } }),
      { signal },
    );
    for (const name of ["ok-1", "ok-2"]) await succeed(name);
    await fail("bad-1");
    expect(await names()).toEqual(["bad-1", "free", "held", "ok-1", "ok-2"]);
    expect(await deletions()).toEqual([]);
    await succeed("ok-3");
    await leaves("bad-1", "free", "held", "ok-2", "ok-3");
    await fail("bad-2");
    await leaves("bad-2", "free", "held", "ok-2", "ok-3");
    expect((await deletions()).map(({ objectRef }) => objectRef?.name)).toEqual(["ok-1", "bad-1"]);
  }, 90_000);

  it("go when the limits shrink, and nothing is written while nothing changes", async () => {
    await world.client.patch(
      ROLLBACK_POLICIES,
      { namespace: "shop", name: "web" },
      mergePatch({ spec: { history: { successful: 1 } } }),
      { signal },
    );
    await leaves("bad-2", "free", "held", "ok-3");
    const count = (await deletions()).length;
    const begun = Date.now();
    await until(
      "three quiet seconds",
      async () => Date.now() - begun,
      (passed) => passed > 3_000,
    );
    expect(await deletions()).toHaveLength(count);
    expect(await names()).toEqual(["bad-2", "free", "held", "ok-3"]);
  }, 60_000);

  it("do not run again when somebody applies them again", async () => {
    await shop.ask("real", { revision: 1 }, OF_WEB);
    expect((await shop.ended("real")).status?.phase).toBe("Succeeded");
    await succeed("ok-4");
    await leaves("bad-2", "free", "held", "ok-4");
    const acts = (await shop.acts()).length;
    await shop.ask("real", { revision: 1 }, OF_WEB);
    const again = await until(
      "the outcome is known",
      () => shop.request("real"),
      ({ status }) => status?.conditions?.some(({ reason }) => reason === "AlreadyExecuted") === true,
    );
    expect(again.status?.phase).toBe("Succeeded");
    expect(await shop.acts()).toHaveLength(acts);
    // Once something newer is live the old success would be untrue.
    await shop.release("web:v3");
    await shop.remove("real");
    await shop.ask("real", { revision: 1 }, OF_WEB);
    const overtaken = await shop.ended("real");
    expect(overtaken.status?.phase).toBe("Superseded");
    expect(readyOf(overtaken)).toMatchObject({
      reason: "AlreadyExecuted",
      message: expect.stringMatching(
        /ended Succeeded; since then revision 4 was released; nothing done now; use a new name/,
      ),
    });
    expect(await shop.acts()).toHaveLength(acts);
  }, 60_000);

  it("are kept with a limit of at least 1", async () => {
    for (const history of [{ successful: 0 }, { failed: 0 }]) {
      const refused = world.client.patch(
        ROLLBACK_POLICIES,
        { namespace: "shop", name: "web" },
        mergePatch({ spec: { history } }),
        { signal },
      );
      await expect(refused).rejects.toThrow(/greater than or equal to 1/);
    }
  });
});
