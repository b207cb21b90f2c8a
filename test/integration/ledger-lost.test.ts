import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_LEDGERS } from "../../src/kube/rollback-kinds.ts";
import { openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const { signal } = new AbortController();

describe("a ledger that somebody deletes while its request runs", () => {
  let world: World;
  let shop: Shop;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    shop = await openShop(world, "shop");
    await shop.open();
    await shop.release("web:v2");
  }, 120_000);

  afterAll(() => world?.stop(), 60_000);

  const ledger = async () =>
    (await world.client.list(ROLLBACK_LEDGERS, { namespace: "shop", signal })).items[0];

  it("is made again from the request's journal when the request ends", async () => {
    await shop.ask("undo", { revision: 1 });
    await shop.reaches("undo", "Verifying");
    await world.kubectl(["delete", "rbl", "--all", "-n", "shop"]);
    const ended = await shop.ended("undo");
    expect(ended.status?.phase).toBe("Succeeded");
    const { spec } = await until("the ledger is back", ledger, (found) => found !== undefined).then(
      (found) => found as NonNullable<typeof found>,
    );
    expect(spec.executed).toMatchObject([{ name: "undo", uid: ended.metadata.uid, outcome: "Succeeded" }]);
    expect(spec.marks).toMatchObject([{ revision: 2, request: "undo" }]);
    expect(spec.releases).toMatchObject([{ revision: 3, rollbackBy: "undo" }]);
  }, 60_000);

  it("shows its target and the newest entries of its lists", async () => {
    const table = await world.kubectl(["get", "rbl", "-n", "shop"]);
    const [head = "", row = ""] = table.split("\n");
    expect(head.trim().split(/\s+/)).toEqual([
      "NAME",
      "KIND",
      "TARGET",
      "LIVE",
      "KNOWN-GOOD",
      "ROLLED-BACK",
      "LAST-REQUEST",
      "OUTCOME",
      "AGE",
    ]);
    expect(row).toMatch(/\s+Deployment\s+web\s+3\s+2\s+undo\s+Succeeded\s+/);
  });

  it("keeps the next request from going forward again to what was rolled back", async () => {
    await shop.ask("again");
    const ended = await shop.ended("again");
    expect(readyOf(ended)).toMatchObject({
      reason: "NothingToDo",
      message: expect.stringContaining("already rolled back by undo"),
    });
  }, 60_000);

  it("with its whole namespace does not keep the namespace from going", async () => {
    const doomed = await openShop(world, "doomed");
    await doomed.open();
    await doomed.release("web:v2");
    const verification = { settle: "0s", soak: "60s", interval: "1s" };
    await doomed.ask("undo", { revision: 1 }, { verification });
    await doomed.reaches("undo", "Verifying");
    await world.kubectl(["delete", "rbl", "--all", "-n", "doomed"]);
    await world.kubectl(["delete", "namespace", "doomed", "--timeout=30s"]);
  }, 90_000);
});
