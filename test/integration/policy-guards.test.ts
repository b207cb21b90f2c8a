import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mergePatch } from "../../src/kube/patch.ts";
import { ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { configMapType } from "../../src/kube/well-known.ts";
import { inParallel } from "../support/in-parallel.ts";
import { CRITICAL, startPolicyLab, type PolicyLab } from "../support/policy-lab.ts";
import { imageOf } from "../support/shop.ts";
import { asksAbout } from "../support/prometheus-fault.ts";
import { until } from "../support/world.ts";

const SETTLED = { settle: "0s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m" };
const NOTIFY = { ...CRITICAL, name: "elevated", severity: "SEV3", action: "Notify" };
const { signal } = new AbortController();

/** Namespaces whose stories begin at once, and those that wait for the end: the last ones stop or count everybody. */
const NAMESPACES = [
  "observe",
  "suspend",
  "cooldown",
  "no-budget",
  "old-release",
  "first-release",
  "product",
  "no-executor",
  "no-rights",
  "notify",
  "settle",
  "switch",
  "stale",
  "cap-one",
  "cap-two",
];

describe("a breach that everything else allows to be rolled back", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({
      namespaces: NAMESPACES,
      config: { limits: { automaticRollbacksPer10Minutes: 50 } },
    });
  }, 120_000);

  afterAll(() => lab?.stop(), 60_000);

  /** Revision 1 known good, revision 2 live and healthy so far. */
  async function ready(namespace: string, change = {}, options = {}) {
    const service = await lab.service(namespace, options);
    await service.watch(change);
    await service.baked();
    return service;
  }

  async function releasedIn(namespace: string, change = {}) {
    const service = await ready(namespace, change);
    await service.released();
    return service;
  }

  inParallel(
    {
      "is only told in mode Observe, and acted on once the mode is Enforce": async () => {
        const service = await releasedIn("observe", { mode: "Observe" });
        service.traffic(50, 0.5);
        expect(await service.held("ModeObserve")).toContain("spec.mode: Observe");
        expect(await service.notes("BreachDetected")).toHaveLength(1);
        expect(await service.requests()).toEqual([]);
        await service.change({ mode: "Enforce" });
        await service.requested();
        service.traffic(50, 0);
      },

      "is not seen while suspended, and acted on once that ends": async () => {
        const service = await releasedIn("suspend");
        await service.change({ suspend: true });
        await service.shows("Ready", "True", "Suspended");
        await service.shows("RollbackReady", "False", "Suspended");
        const asked = lab.proxy("default").queries.length;
        service.traffic(50, 0.5);
        const own = () => lab.proxy("default").queries.slice(asked).filter(asksAbout("suspend"));
        const begun = Date.now();
        await until(
          "five seconds",
          async () => Date.now() - begun,
          (passed) => passed > 5_000,
        );
        expect(own()).toEqual([]);
        expect(await service.acts()).toEqual([]);
        expect(await service.notes("BreachDetected")).toEqual([]);
        await service.change({ suspend: false });
        await service.requested();
        service.traffic(50, 0);
      },

      "is rolled back although a Notify row stands first, and the next one is held in the cool-down":
        async () => {
          const service = await releasedIn("cooldown", { matrix: [NOTIFY, CRITICAL] });
          service.traffic(50, 0.5);
          const [request] = await service.requested();
          service.traffic(50, 0);
          const name = request?.metadata.name ?? "";
          const ended = await service.shop.ended(name);
          expect(ended.status).toMatchObject({ phase: "Succeeded", trigger: { row: "critical" } });
          expect((await service.policy()).status?.lastDecision).toMatchObject({
            row: "critical",
            verdict: "Rollback",
            requestRef: name,
          });
          expect(imageOf(await service.shop.live())).toBe("web:v1");
          await until(
            "no breach any more",
            () => service.policy(),
            ({ status }) => status?.signals?.[0]?.state === "Ok",
          );
          await service.released("web:v3");
          service.traffic(50, 0.5);
          expect(await service.held("Cooldown")).toMatch(/cool-down of 30m: allowed from/);
          expect(await service.requests()).toHaveLength(1);
          expect(imageOf(await service.shop.live())).toBe("web:v3");
        },

      "is held where the day's budget is zero": async () => {
        const service = await releasedIn("no-budget", { guards: { ...SETTLED, maxPerDay: 0 } });
        service.traffic(50, 0.5);
        expect(await service.held("BudgetSpent")).toContain("none is allowed");
        expect(await service.acts()).toEqual([]);
      },

      "is held when the release is older than the lookback": async () => {
        const service = await releasedIn("old-release", { attribution: { lookback: "5s" } });
        const { status } = await service.policy();
        const startedAt = Date.parse(status?.release?.startedAt ?? "");
        await until(
          "the lookback has passed",
          async () => Date.now() - startedAt,
          (age) => age > 6_000,
        );
        service.traffic(50, 0.5);
        expect(await service.held("Unattributed")).toContain("longer than the lookback of 5s");
        expect(await service.acts()).toEqual([]);
      },

      "is held on a first release, and on one that came after its onset": async () => {
        const service = await lab.service("first-release");
        await service.watch();
        await service.baked();
        service.traffic(50, 0.5);
        expect(await service.held("NoKnownGoodRevision")).toContain("no other revision");
        await service.shop.release("web:v2");
        expect(await service.held("Unattributed")).toMatch(
          /before revision 2 started: investigate other causes/,
        );
        expect(await service.acts()).toEqual([]);
      },

      "is held on the product of a rollback": async () => {
        const service = await releasedIn("product", { guards: { ...SETTLED, cooldown: "0s" } });
        await service.baked();
        await service.released("web:v3");
        service.traffic(50, 0.5);
        const [request] = await service.requested();
        service.traffic(50, 0);
        const name = request?.metadata.name ?? "";
        expect((await service.shop.ended(name)).status?.phase).toBe("Succeeded");
        expect(imageOf(await service.shop.live())).toBe("web:v2");
        await until(
          "the product is live and Ok",
          () => service.policy(),
          ({ status }) => status?.release?.revision === 4 && status.signals?.[0]?.state === "Ok",
        );
        service.traffic(50, 0.5);
        expect(await service.held("NothingToDo")).toContain(`already rolled back by ${name}`);
        expect(await service.requests()).toHaveLength(1);
      },

      "is held where the policy names nobody to act as": async () => {
        const service = await lab.service("no-executor");
        await service.watch({ serviceAccountName: undefined });
        await service.baked();
        await service.shop.release("web:v2");
        await service.shows("RollbackReady", "False", "ExecutorNotSet");
        service.traffic(50, 0.5);
        expect(await service.held("ExecutorNotSet")).toContain("set spec.serviceAccountName");
        expect(await service.acts()).toEqual([]);
      },

      "is held where the executor has no rights, with what is missing": async () => {
        const service = await ready("no-rights", {}, { executor: false });
        await service.shop.release("web:v2");
        await until(
          "revision 2 seen",
          () => service.policy(),
          ({ status }) => status?.release?.revision === 2 && status.signals?.[0]?.state === "Ok",
        );
        service.traffic(50, 0.5);
        expect(await service.held("NotReady")).toContain(
          "AccessDenied: ServiceAccount no-rights/rollback-executor",
        );
        expect(await service.requests()).toEqual([]);
      },

      "is told by a Notify row, and nothing else": async () => {
        const service = await releasedIn("notify", { matrix: [NOTIFY] });
        service.traffic(50, 0.5);
        const { status } = await until(
          "told",
          () => service.policy(),
          (policy) => policy.status?.lastDecision?.verdict === "Notify",
          60_000,
        );
        expect(status?.lastDecision?.reason).toMatch(/^error-rate [\d.]+% > 10%/);
        expect(await service.notes("RollbackHeld")).toEqual([]);
        expect(await service.acts()).toEqual([]);
      },

      "waits for the settle time of the release, and then counts what it saw in it": async () => {
        const service = await ready("settle", { guards: { ...SETTLED, settle: "12s" } });
        await service.shop.release("web:v2");
        await until(
          "revision 2 seen",
          () => service.policy(),
          ({ status }) => status?.release?.revision === 2 && status.signals?.[0]?.state === "Ok",
        );
        service.traffic(50, 0.5);
        expect(await service.held("Settling")).toContain("settles for 12s");
        await service.requested();
        const [entry] = (await service.ledger())?.spec.automatic ?? [];
        const startedAt = Date.parse(entry?.released ?? "");
        const onset = Date.parse(entry?.trigger.breachSince ?? "");
        expect(Date.parse(entry?.at ?? "")).toBeGreaterThanOrEqual(startedAt + 12_000);
        expect(onset).toBeLessThan(startedAt + 12_000);
      },
    },
    170_000,
  );

  it("is held by the kill switch, and acted on once it is off", async () => {
    const service = await releasedIn("switch");
    const metadata = { namespace: "rollback-system", name: "rollback-kill-switch" };
    await lab.world.client.create(configMapType, { metadata, data: { stop: "true" } }, { signal });
    service.traffic(50, 0.5);

    expect(await service.held("KillSwitch")).toContain("the kill switch is on");
    expect(await service.acts()).toEqual([]);

    await lab.world.client.patch(configMapType, metadata, mergePatch({ data: { stop: "false" } }), {
      signal,
    });
    await service.requested();
    service.traffic(50, 0);
  }, 150_000);

  it("is held over all targets by the administrator's limit, and when it is old at start-up", async () => {
    const [stale, one, two] = await Promise.all([
      releasedIn("stale", { guards: { ...SETTLED, maxBreachAge: "3s" } }),
      releasedIn("cap-one"),
      releasedIn("cap-two"),
    ]);
    const made = await lab.world.client.list(ROLLBACK_REQUESTS, { signal });
    await lab.operator().kill();
    stale.traffic(50, 0.5);
    const begun = Date.now();
    await until(
      "the breach grows old",
      async () => Date.now() - begun,
      (age) => age > 9_000,
    );

    const automaticRollbacksPer10Minutes = made.items.length + 1;
    await lab.startOperator({ limits: { automaticRollbacksPer10Minutes } });
    expect(await stale.held("BreachTooOld")).toContain("longer than maxBreachAge of 3s");
    expect(await stale.acts()).toEqual([]);

    one.traffic(50, 0.5);
    two.traffic(50, 0.5);
    const held = await Promise.any([
      one.held("BlastRadius").then((note) => ({ note, acting: two })),
      two.held("BlastRadius").then((note) => ({ note, acting: one })),
    ]);
    expect(held.note).toContain(`the administrator's limit is ${automaticRollbacksPer10Minutes}`);
    await held.acting.requested();
    const both = [...(await one.requests()), ...(await two.requests())];
    expect(both).toHaveLength(1);
  }, 200_000);

  it("leaves only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
