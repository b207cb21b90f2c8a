import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { inParallel } from "../support/in-parallel.ts";
import { ERROR_RATE, startPolicyLab, type PolicyLab } from "../support/policy-lab.ts";
import { asksAbout, type PrometheusFault } from "../support/prometheus-fault.ts";
import { until } from "../support/world.ts";

interface Story {
  readonly fault: PrometheusFault;
  /** What the policy says about it. */
  readonly says: RegExp;
  /** The breach is still there when the server is back, or it is over. */
  readonly afterwards: "acts" | "is Ok";
}

const STORIES: Readonly<Record<string, Story>> = {
  down: { fault: "down", says: /cannot be reached: the connection was (refused|closed)/, afterwards: "acts" },
  slow: { fault: "slow", says: /did not answer within 500ms/, afterwards: "acts" },
  empty: { fault: "empty", says: /ratio.total has no series/, afterwards: "is Ok" },
  nan: { fault: "nan", says: /gives NaN, which is not a finite number/, afterwards: "acts" },
  several: { fault: "several", says: /gives 2 series, exactly one is needed/, afterwards: "is Ok" },
  http500: { fault: "http500", says: /answered HTTP 500/, afterwards: "acts" },
  garbage: { fault: "garbage", says: /not one of the Prometheus API/, afterwards: "is Ok" },
  truncated: { fault: "truncated", says: /cannot be reached/, afterwards: "is Ok" },
  wrongtype: { fault: "wrongType", says: /sent text\/html; charset=utf-8, which is not/, afterwards: "acts" },
  warnings: {
    fault: "warnings",
    says: /warned that its answer may be incomplete: store b did not answer/,
    afterwards: "acts",
  },
  partial: { fault: "partial", says: /ratio.total has no series/, afterwards: "is Ok" },
  relabelled: { fault: "relabelled", says: /ratio.total has no series/, afterwards: "acts" },
  othertime: {
    fault: "otherTime",
    says: /answered for another time than it was asked for/,
    afterwards: "is Ok",
  },
  ahead: { fault: "clockAhead", says: /has a clock about 30s ahead of the operator's/, afterwards: "acts" },
  behind: { fault: "clockBehind", says: /has a clock about 30s behind the operator's/, afterwards: "is Ok" },
  wrongjson: { fault: "wrongJson", says: /not one of the Prometheus API/, afterwards: "acts" },
};

describe("a release that breaches while its Prometheus server gives no answer", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    const names = Object.keys(STORIES);
    lab = await startPolicyLab({
      namespaces: [...names, "live", "resets"],
      servers: Object.fromEntries(names.map((name) => [name, { timeout: "500ms" }])),
      config: { limits: { automaticRollbacksPer10Minutes: 50 } },
    });
  }, 120_000);

  afterAll(() => lab?.stop(), 60_000);

  async function blind(name: string, { fault, says, afterwards }: Story): Promise<void> {
    const service = await lab.service(name);
    const { prometheus } = ERROR_RATE;
    await service.watch({ signals: [{ ...ERROR_RATE, prometheus: { ...prometheus, server: name } }] });
    await service.baked();
    await service.released();
    await lab.proxy(name).set(fault);
    service.traffic(50, 0.5);

    const ready = await service.shows("Ready", "False", "CannotEvaluate");

    expect(ready.message).toMatch(says);
    expect(await service.acts()).toEqual([]);
    expect(await service.notes("BreachDetected")).toEqual([]);
    // Nothing changes, so nothing more is written, however often the server is asked.
    const { resourceVersion } = (await service.policy()).metadata;
    const asked = lab.proxy(name).queries.length;
    if (fault !== "down") {
      await until(
        "asked again",
        async () => lab.proxy(name).queries.length,
        (count) => count > asked,
        30_000,
      );
    }
    expect((await service.policy()).metadata.resourceVersion).toBe(resourceVersion);

    if (afterwards === "is Ok") {
      service.traffic(50, 0);
      await until(
        "the breach is over",
        () => errorRate(name),
        (rate) => rate === 0,
        30_000,
      );
    }
    await lab.proxy(name).set("none");
    await service.shows("Ready", "True");
    if (afterwards === "acts") {
      const [request] = await service.requested();
      expect((await service.ledger())?.spec.automatic).toMatchObject([
        { request: request?.metadata.name, trigger: { attribution: expect.stringMatching(/^Likely/) } },
      ]);
      service.traffic(50, 0);
    } else {
      await service.shows("Breached", "False", "NoBreach");
      expect(await service.acts()).toEqual([]);
    }
  }

  /** As the real server sees it. */
  async function errorRate(namespace: string): Promise<number> {
    const query = `sum(rate(http_requests_total{namespace="${namespace}",status="500"}[4s]))`;
    const response = await fetch(`${lab.prometheus.url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const body = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return Number(body.data.result[0]?.value[1] ?? Number.NaN);
  }

  inParallel(
    Object.fromEntries(
      Object.entries(STORIES).map(([name, story]) => [
        `${name}: no act, the policy says why; afterwards it ${story.afterwards} by itself`,
        () => blind(name, story),
      ]),
    ),
    170_000,
  );

  it("takes counters that begin again for what they are", async () => {
    const service = await lab.service("resets");
    await service.watch();
    await service.baked();
    await service.released();
    service.traffic(50, 0.05);
    const { queries } = lab.proxy("default");
    const ofPolicy = () => queries.filter(asksAbout("resets")).length;
    for (let restarts = 0; restarts < 5; restarts += 1) {
      const seen = ofPolicy();
      service.restart();
      await until(
        "evaluated with and after the restart",
        async () => ofPolicy() - seen,
        (count) => count >= 6,
        30_000,
      );
    }
    expect(await service.acts()).toEqual([]);
    expect(await service.notes("BreachDetected")).toEqual([]);
    await service.shows("Ready", "True");
    await service.shows("Breached", "False", "NoBreach");
  }, 90_000);

  it("never delays a policy on a live server", async () => {
    const service = await lab.service("live");
    await service.watch();
    await service.baked();
    const dead = Object.keys(STORIES);
    await Promise.all(dead.map((name) => lab.proxy(name).set("slow")));
    const { queries } = lab.proxy("default");
    const begun = Date.now();
    // As long as a breaker stays open and longer, so that probes and their time-outs are among it.
    await until(
      "fifteen seconds",
      async () => Date.now() - begun,
      (passed) => passed > 15_000,
    );

    const times = queries.filter(({ at }) => at >= begun).map(({ at }) => at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
    expect(times.length).toBeGreaterThanOrEqual(2 * 12);
    // Nine servers wait out 500 ms in turn: a policy behind them would miss seconds.
    expect(Math.max(...gaps)).toBeLessThan(2_500);
    await service.shows("Ready", "True");
  }, 90_000);

  it("leaves only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
