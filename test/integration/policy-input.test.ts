import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_POLICIES } from "../../src/kube/rollback-kinds.ts";
import { deploymentType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { inParallel } from "../support/in-parallel.ts";
import { CRITICAL, ERROR_RATE, startPolicyLab, type PolicyLab } from "../support/policy-lab.ts";
import { addExecutor, OPERATOR_USER, type PartialSpec } from "../support/shop.ts";
import { asksAbout } from "../support/prometheus-fault.ts";
import { until } from "../support/world.ts";

const { signal } = new AbortController();

function errorRate(change: PartialSpec): PartialSpec {
  return { signals: [{ ...ERROR_RATE, prometheus: { ...ERROR_RATE.prometheus, ...change } }] };
}

function query(text: string): PartialSpec {
  return { signals: [{ name: "error-rate", prometheus: { query: text } }] };
}

/** A quantile of a histogram whose highest finite bucket is 5 s. */
function latency(threshold: string): PartialSpec {
  const quantile = { quantile: "0.95", histogram: "http_request_duration_seconds", window: "4s" };
  return {
    signals: [{ name: "p95", prometheus: { quantile, match: { app: "web" }, minimumRequests: 20 } }],
    matrix: [{ ...CRITICAL, name: "latency", when: { signal: "p95", above: threshold, for: "2s" } }],
  };
}

const WINDOW = ERROR_RATE.prometheus.ratio;

/** What only the operator's configuration or the query language can tell: the policy, what it says, what mends it. */
const REFUSED: Readonly<Record<string, { wrong: PartialSpec; says: RegExp; right: PartialSpec }>> = {
  "no-server": {
    wrong: errorRate({ server: "main" }),
    says: /no Prometheus server "main" \(configured are: default, unhurried\)/,
    right: errorRate({}),
  },
  "no-promql": {
    wrong: query("sum(rate(http_requests_total[4s])"),
    says: /^signal error-rate: .*(parse|unexpected|PromQL|query)/i,
    right: query("sum(rate(http_requests_total[4s]))"),
  },
  "no-selector": {
    wrong: errorRate({ ratio: { ...WINDOW, bad: 'http_requests_total{status=~"5.."' } }),
    says: /signal error-rate: ratio.bad: /,
    right: errorRate({}),
  },
  "small-window": {
    wrong: errorRate({ ratio: { ...WINDOW, window: "3s" } }),
    says: /window 3s is too short: server "default" scrapes every 1s, the smallest valid window is 4s/,
    right: errorRate({}),
  },
  "small-interval": {
    wrong: errorRate({ server: "unhurried" }),
    says: /interval 1s is too short for server "unhurried": its smallest is 5s/,
    right: errorRate({}),
  },
  "never-fires": {
    wrong: {
      ...errorRate({}),
      matrix: [{ ...CRITICAL, when: { signal: "error-rate", above: "5", for: "2s" } }],
    },
    says: /matrix row critical: above 5 never fires: a ratio lies between 0 and 1/,
    right: { matrix: [CRITICAL] },
  },
  "foreign-match": {
    wrong: errorRate({ match: { app: "web", namespace: "kube-system" } }),
    says: /match.namespace must be "foreign-match"/,
    right: errorRate({ match: { app: "web" } }),
  },
};

const NAMESPACES = [
  ...Object.keys(REFUSED),
  "no-target",
  "no-rights",
  "no-account",
  "one-step",
  "rivals",
  "bucket",
  "rejected",
  "quiet",
];

describe("what only the cluster can tell appears as a condition, and goes away when it is mended:", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({
      namespaces: NAMESPACES,
      servers: { unhurried: { minimumInterval: "5s" } },
    });
  }, 120_000);

  afterAll(() => lab?.stop(), 60_000);

  /** Both conditions say the same, in time. */
  async function stalls(service: Awaited<ReturnType<PolicyLab["service"]>>, reason: string, says: RegExp) {
    const begun = Date.now();
    const stalled = await service.shows("Stalled", "True", reason);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(stalled.message).toMatch(says);
    expect(await service.shows("Ready", "False", reason)).toMatchObject({ message: stalled.message });
  }

  inParallel(
    {
      ...Object.fromEntries(
        Object.entries(REFUSED).map(([name, { wrong, says, right }]) => [
          `${name} in the spec`,
          async () => {
            const service = await lab.service(name);
            await service.watch(wrong);
            await stalls(service, "CannotEvaluate", says);
            await service.change(right);
            await service.shows("Ready", "True", "Evaluating");
            expect((await service.policy()).status?.conditions?.map(({ type }) => type)).not.toContain(
              "Stalled",
            );
          },
        ]),
      ),

      "no such Deployment, and none any more": async () => {
        const service = await lab.service("no-target", { deployed: false });
        await service.watch();
        await stalls(
          service,
          "TargetNotFound",
          /Deployment\/web does not exist .* create it, or mend spec.target/,
        );
        await service.shop.open();
        await service.shows("Ready", "True");
        await lab.world.client.delete(deploymentType, { namespace: "no-target", name: "web" }, { signal });
        await service.shows("Stalled", "True", "TargetNotFound");
      },

      "an executor that may not, until it may": async () => {
        const service = await lab.service("no-rights", { executor: false });
        await lab.world.kubectl(["create", "serviceaccount", "rollback-executor", "-n", "no-rights"]);
        await service.watch();
        const denied = await service.shows("RollbackReady", "False", "AccessDenied");
        expect(denied.message).toMatch(
          /may not .*patch deployments.apps.* Add to its Role:\n- \{apiGroups: /s,
        );
        await service.baked();
        await service.shop.release("web:v2");
        await lab.world.kubectl([
          "create",
          "rolebinding",
          "rollback-executor",
          "--namespace=no-rights",
          "--clusterrole=rollback-executor-workload",
          "--serviceaccount=no-rights:rollback-executor",
        ]);
        await service.shows("RollbackReady", "True");
      },

      "an executor that does not exist, until it does": async () => {
        const service = await lab.service("no-account", { executor: false });
        await service.watch();
        const denied = await service.shows("RollbackReady", "False", "AccessDenied");
        expect(denied.message).toMatch(/does not exist: create it and bind the executor Role to it/);
        await service.shows("Ready", "True");
        await addExecutor(lab.world, "no-account");
        // A first release still has nothing to go back to.
        await service.shows("RollbackReady", "False", "NoKnownGoodRevision");
      },

      "a history of one step": async () => {
        const service = await lab.service("one-step");
        await service.watch();
        const { message } = await service.shows("RollbackReady", "False", "NoKnownGoodRevision");
        expect(message).toMatch(/Deployment\/web/);
        await service.baked();
        await service.released();
        expect((await service.policy()).status?.rollbackTarget).toBe("revision 1");
      },

      "two policies on one target: the older one owns it, then the younger one": async () => {
        const service = await lab.service("rivals");
        await service.watch();
        const first = await service.policy();
        // Creation times are whole seconds.
        const born = Date.parse(first.metadata.creationTimestamp);
        await until(
          "the next second",
          async () => Date.now(),
          (now) => now > born + 2_000,
        );
        await service.watch({}, "younger");
        const owned = await service.shows("Stalled", "True", "TargetOwned", "younger");
        expect(owned.message).toMatch(/RollbackPolicy web is older and owns Deployment\/web; .* delete one/);
        await service.shows("Ready", "True");
        await lab.world.client.delete(ROLLBACK_POLICIES, { namespace: "rivals", name: "web" }, { signal });
        await service.shows("Ready", "True", "Evaluating", "younger");
      },

      "a threshold that the histogram cannot reach": async () => {
        const service = await lab.service("bucket");
        await service.watch(latency("6"));
        await stalls(
          service,
          "CannotEvaluate",
          /row latency can never fire: the highest bucket of p95 is 5s, its threshold 6s/,
        );
        await service.change(latency("3"));
        await service.shows("Ready", "True");
      },

      "a query that only Prometheus can tell is invalid, within a few intervals": async () => {
        const service = await lab.service("rejected");
        await service.watch({ interval: "5s", ...query("rate(http_requests_total)") });
        const begun = Date.now();
        const blind = await service.shows("Ready", "False", "CannotEvaluate");
        // Two intervals and not the ten that other errors take.
        expect(Date.now() - begun).toBeLessThan(30_000);
        expect(blind.message).toMatch(
          /error-rate: Prometheus server "default" refused the query: .*range vector/,
        );
        await service.change({ signals: query("sum(http_requests_total)")["signals"] });
        await service.shows("Ready", "True", "Evaluating");
      },

      "nothing, where nothing changes: no write, one evaluation an interval": async () => {
        const service = await lab.service("quiet");
        await service.watch();
        await service.baked();
        await service.released();
        await service.baked();
        const audit = () => readAudit(lab.world.controlPlane.auditLogPath);
        const asked = () => lab.proxy("default").queries.filter(asksAbout("quiet"));
        const before = { asked: asked().length, at: Date.now() };

        // Two queries an evaluation of a ratio: twelve evaluations.
        await until(
          "evaluations",
          async () => asked().length - before.asked,
          (count) => count >= 24,
          60_000,
        );

        const seconds = (Date.now() - before.at) / 1_000;
        expect(asked().length - before.asked).toBeLessThanOrEqual(2 * (seconds + 2));
        const { events } = await audit();
        const written = events.filter(
          ({ requestReceivedTimestamp, objectRef, impersonatedUser, user }) =>
            Date.parse(requestReceivedTimestamp) > before.at &&
            (impersonatedUser?.username === service.shop.executor ||
              (user.username === OPERATOR_USER && objectRef?.namespace === "quiet")),
        );
        // Reviews of rights and dry runs are calls too: nothing at all reaches the API server.
        expect(written).toEqual([]);
      },
    },
    170_000,
  );

  it("leaves only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
