import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { inParallel } from "../support/in-parallel.ts";
import { conditionOf, CRITICAL, ERROR_RATE, startPolicyLab, type PolicyLab } from "../support/policy-lab.ts";
import { imageOf, type PartialSpec } from "../support/shop.ts";
import { asksAbout } from "../support/prometheus-fault.ts";
import { until } from "../support/world.ts";

const QUANTILE = { quantile: "0.95", histogram: "http_request_duration_seconds", window: "4s" };

function row(signal: string, above: string): PartialSpec {
  return { ...CRITICAL, name: signal, when: { signal, above, for: "2s" } };
}

const LATENCY: PartialSpec = {
  signals: [{ name: "p95", prometheus: { quantile: QUANTILE, match: { app: "web" }, minimumRequests: 20 } }],
  matrix: [row("p95", "1.5")],
};

const QUEUE: PartialSpec = {
  signals: [{ name: "queue-age", unit: "seconds", prometheus: { query: "max(queue_oldest_seconds)" } }],
  matrix: [row("queue-age", "30")],
  // A gauge shows the world of the last scrape; only ratio and quantile have a window that is waited for.
  verification: { settle: "3s", soak: "2s", interval: "1s" },
};

const ROUTES: PartialSpec = {
  signals: [
    {
      name: "endpoint-errors",
      prometheus: {
        ratio: {
          bad: 'endpoint_requests_total{status=~"5.."}',
          total: "endpoint_requests_total",
          window: "4s",
          by: ["route"],
        },
        match: { app: "web" },
        minimumRequests: 20,
      },
    },
  ],
  matrix: [row("endpoint-errors", "0.10")],
};

const PAGING: PartialSpec = {
  signals: [
    ERROR_RATE,
    { name: "paging", alert: { matchers: { alertname: "QueueStuck" } } },
    { name: "misspelt", alert: { matchers: { alertname: "QueueStock" } } },
  ],
  matrix: [
    { ...row("paging", "0"), action: "Notify" },
    { ...row("misspelt", "0"), action: "Notify" },
  ],
};

/** All three sources at once; nothing but the namespace tells the services apart. */
const EVERYTHING: PartialSpec = {
  signals: [...(LATENCY["signals"] as unknown[]), ...(QUEUE["signals"] as unknown[]), ERROR_RATE],
  matrix: [...(LATENCY["matrix"] as unknown[]), ...(QUEUE["matrix"] as unknown[]), CRITICAL],
};

describe("signals of a real Prometheus", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({
      namespaces: ["latency", "queue", "blind", "neighbour", "routes", "paged"],
      rules: [{ alert: "QueueStuck", expr: "queue_oldest_seconds > 30" }],
    });
  }, 120_000);

  afterAll(() => lab?.stop(), 60_000);

  inParallel(
    {
      "a quantile of a classic histogram rolls back": async () => {
        const service = await lab.service("latency");
        await service.watch(LATENCY);
        await service.baked();
        await service.released();
        service.slow(0.2);
        const [request] = await service.requested();
        service.slow(0);
        const ended = await service.shop.ended(request?.metadata.name ?? "");
        expect(ended.status).toMatchObject({
          phase: "Succeeded",
          trigger: { signal: "p95", threshold: "1.5s" },
        });
        expect(ended.status?.trigger).toHaveProperty("value", expect.stringMatching(/^[1-5](\.\d+)?s$/));
        expect(imageOf(await service.shop.live())).toBe("web:v1");
      },

      "a free query rolls back, and is Stale, not healthy, once its series is gone": async () => {
        const service = await lab.service("queue");
        service.queue(5);
        await service.watch(QUEUE);
        await service.baked();
        await service.released();
        service.queue(90);
        const [request] = await service.requested();
        service.queue(5);
        const ended = await service.shop.ended(request?.metadata.name ?? "");
        expect(ended.status).toMatchObject({
          phase: "Succeeded",
          trigger: { value: "90s", threshold: "30s" },
        });
        // A gauge whose target does not answer any more is marked stale at once, so there is no value at all.
        service.silent(true);
        const ready = await service.shows("Ready", "False", "CannotEvaluate");
        expect(ready.message).toMatch(/queue-age: the (query has no series|newest sample is)/);
        service.silent(false);
        await service.shows("Ready", "True");
      },

      "one route of several rolls back, which the whole would hide": async () => {
        const service = await lab.service("routes");
        service.route("/", 200, 0);
        service.route("/models", 20, 0);
        await service.watch(ROUTES);
        await service.baked();
        await service.released();
        service.route("/models", 20, 0.5);
        const [request] = await service.requested();
        service.route("/models", 20, 0);
        const ended = await service.shop.ended(request?.metadata.name ?? "");
        expect(ended.status).toMatchObject({
          phase: "Succeeded",
          trigger: { signal: "endpoint-errors of route=/models", threshold: "10%" },
        });
        expect((await service.policy()).status?.lastDecision?.reason).toContain("route=/models");
      },

      "a firing alert is a breach, and one that no rule knows is not health": async () => {
        const service = await lab.service("paged");
        service.queue(5);
        await service.watch(PAGING);
        const ready = await service.shows("Ready", "False", "CannotEvaluate");
        expect(ready.message).toContain("misspelt: no alerting rule QueueStock on server default");
        const quiet = await service.policy();
        expect(quiet.status?.signals).toMatchObject([
          { name: "error-rate" },
          { name: "paging", state: "Ok" },
          { name: "misspelt", state: "Unproven" },
        ]);
        service.queue(90);
        await service.shows("Breached", "True");
        const decision = await service.decided("Notify");
        service.queue(5);
        await service.shows("Breached", "False");
        // Events are written in their order: whatever was told of the breach is there now.
        expect(await service.told("BreachResolved")).toEqual(["row paging does not fire any more"]);
        // That it fires is told of every row, and of one that notifies what was found: each once, however long it lasts.
        const notes = await service.notes("BreachDetected");
        expect(notes.toSorted()).toEqual([decision.reason, "row paging fires on paging"].toSorted());
        expect(decision.reason).toMatch(/^paging 1 > 0 /);
      },

      "no source reads the series of another namespace": async () => {
        const neighbour = await lab.service("neighbour", { deployed: false });
        neighbour.traffic(500, 0.9);
        neighbour.slow(0.9);
        neighbour.queue(9_000);
        const service = await lab.service("blind");
        service.queue(1);
        await service.watch(EVERYTHING);
        await service.baked();
        const { status } = await service.policy();
        expect(status?.signals).toMatchObject([
          { name: "p95", state: "Ok" },
          { name: "queue-age", state: "Ok", value: "1s" },
          { name: "error-rate", state: "Ok", value: "0%" },
        ]);
        const asked = lab.proxy("default").queries.filter(asksAbout("blind"));
        expect(asked.length).toBeGreaterThan(6);
        // Without series of its own a policy sees nothing, not the neighbour's.
        service.silent(true);
        service.queue(undefined);
        await until(
          "every signal is blind",
          () => service.policy(),
          ({ status }) =>
            /p95: .*queue-age: .*error-rate: /.test(conditionOf(status, "Ready")?.message ?? ""),
          60_000,
        );
        expect(await service.notes("BreachDetected")).toEqual([]);
        // Every selector of every query that was sent names a namespace.
        const selectors = lab
          .proxy("default")
          .queries.flatMap(
            ({ query }) =>
              query.match(/(http_requests_total|_bucket|_count|queue_oldest_seconds)(\{[^}]*\})?/g) ?? [],
          );
        expect(selectors.filter((selector) => !/namespace=~?"/.test(selector))).toEqual([]);
      },
    },
    170_000,
  );

  it("leaves only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
