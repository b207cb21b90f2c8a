import { setTimeout as sleep } from "node:timers/promises";
import { ROLLBACK_POLICIES, type RollbackPolicy } from "../../src/kube/rollback-kinds.ts";
import { startFireLab, type FireLab } from "../../test/support/fire-lab.ts";
import { CONNECTION_LOST } from "../../test/support/fault-proxy.ts";
import type { OperatorProcess } from "../../test/support/operator-process.ts";
import { heapAfterGc, INSPECTABLE, residentMemory } from "../../test/support/process-memory.ts";
import { imageOf, openShop, type Shop } from "../../test/support/shop.ts";
import { until } from "../../test/support/world.ts";
import { figure, progress, slope } from "../figures.ts";
import { startMockPrometheus, type MockPrometheus } from "../scale/mock-prometheus.ts";
import { operatorMetrics } from "../scale/operator-metrics.ts";

/** An hour is a minute. The API server does not run faster: to the operator it is slow by as much. */
const SPEED = 60;
const HOUR_MS = 3_600_000 / SPEED;
/** Of a policy: a minute. */
const INTERVAL_MS = 60_000 / SPEED;
const NAMESPACE = "soak";
const SERVICES = 6;
/** Hours of which the heap is not looked at: first uses load code. */
const WARM_UP_HOURS = 2;

const GOOD = ["web:v1", "web:v3"] as const;
const BAD = "web:v2";

/**
 * A simulated day in the operator's life, and whether its heap grows: in every hour each of six services is released,
 * half of them with a version that breaches and is rolled back; all connections to the API server are cut; every four
 * hours Prometheus is gone for ten minutes, and every six hours the API server. The operator is the real program as a
 * process of its own on a real control plane; only its clock is another one, which runs 60 times as fast, so its
 * timeouts are 60 times as short. A release is always a template that was live before: the API server stamps new
 * ReplicaSets with its own time.
 */
export async function benchSoak(hours: number): Promise<readonly string[]> {
  const lab = await startFireLab();
  const mock = await startMockPrometheus({
    apps: SERVICES,
    nameOf,
    namespaceOf: () => NAMESPACE,
    tellsTime: false,
  });
  try {
    const shop = await openShop(lab.world, NAMESPACE);
    const apps = Array.from({ length: SERVICES }, (_, app) => app);
    await Promise.all(apps.map((app) => prepare(shop, app)));
    const operator = await startFast(lab, mock);
    await Promise.all(apps.map((app) => watch(lab, nameOf(app))));
    const life = new Life(lab, mock, shop, operator, apps);
    const heap: { hours: number; mib: number }[] = [];
    for (let hour = 0; hour < hours; hour += 1) {
      const end = performance.now() + HOUR_MS;
      await life.hour(hour);
      await sleep(Math.max(0, end - performance.now()));
      heap.push({ hours: hour + 1, mib: await heapAfterGc(operator) });
      progress(`soak: hour ${hour + 1} of ${hours}: heap ${heap.at(-1)?.mib.toFixed(2)} MiB, ${life.told()}`);
    }
    const { releases, rolledBack, missed, cuts } = life.count;
    const looked = heap.slice(Math.min(WARM_UP_HOURS, heap.length - 2));
    return [
      `# soak: ${hours} simulated hours at ${SPEED} times the speed, ${SERVICES} services every minute, ${releases} releases, ${rolledBack} rolled back, connections cut ${cuts} times`,
      figure("soak_heap_slope", slope(looked), "MiB/h", 1),
      figure("soak_heap_first", looked[0]?.mib ?? Number.NaN, "MiB"),
      figure("soak_heap_last", looked.at(-1)?.mib ?? Number.NaN, "MiB"),
      figure("soak_rss_at_the_end", residentMemory(operator.pid).now, "MiB"),
      // On a loaded machine the API server's milliseconds become the operator's minutes: held for reasons that are told.
      figure("soak_not_rolled_back", missed, "releases"),
    ];
  } finally {
    await lab.stop();
    await mock.close();
  }
}

class Life {
  readonly count = { releases: 0, rolledBack: 0, missed: 0, cuts: 0 };
  readonly #lab: FireLab;
  readonly #mock: MockPrometheus;
  readonly #shop: Shop;
  readonly #operator: OperatorProcess;
  readonly #apps: readonly number[];

  constructor(
    lab: FireLab,
    mock: MockPrometheus,
    shop: Shop,
    operator: OperatorProcess,
    apps: readonly number[],
  ) {
    this.#lab = lab;
    this.#mock = mock;
    this.#shop = shop;
    this.#operator = operator;
    this.#apps = apps;
  }

  told(): string {
    const { releases, rolledBack, missed, cuts } = this.count;
    return `${releases} releases, ${rolledBack} rolled back, ${missed} missed, ${cuts} cuts`;
  }

  async hour(hour: number): Promise<void> {
    // The first hour's releases have yet to become known good.
    await sleep(HOUR_MS / 3);
    await Promise.all(
      this.#apps.map((app) =>
        (app + hour) % 2 === 0 && hour > 0 ? this.#releaseBad(app) : this.#releaseGood(app),
      ),
    );
    this.#lab.proxy.hangUp();
    this.count.cuts += 1;
    if (hour % 4 === 3)
      await this.#during(
        () => this.#mock.down(true),
        () => this.#mock.down(false),
      );
    if (hour % 6 === 5) {
      await this.#during(
        () => {
          this.#lab.proxy.intercept(async () => CONNECTION_LOST);
          this.#lab.proxy.hangUp();
        },
        () => this.#lab.proxy.intercept(undefined),
      );
    }
    if (!(await operatorMetrics(this.#operator.url)).leading) throw new Error("the operator leads no more");
  }

  /** Ten simulated minutes. */
  async #during(begin: () => void, end: () => void): Promise<void> {
    begin();
    await sleep(HOUR_MS / 6);
    end();
  }

  async #releaseGood(app: number): Promise<void> {
    const name = nameOf(app);
    const live = imageOf(await this.#shop.live(name));
    await this.#shop.release(live === GOOD[0] ? GOOD[1] : GOOD[0], name);
    this.count.releases += 1;
  }

  async #releaseBad(app: number): Promise<void> {
    const name = nameOf(app);
    await this.#shop.release(BAD, name);
    this.count.releases += 1;
    // So that the release is seen healthy first: a breach without a beginning is nobody's fault.
    await sleep(3 * INTERVAL_MS);
    this.#mock.fail([app], true);
    const patience = performance.now() + HOUR_MS / 2;
    while (imageOf(await this.#shop.live(name)) === BAD && performance.now() < patience) await sleep(50);
    if (imageOf(await this.#shop.live(name)) === BAD) {
      this.count.missed += 1;
      const { status } = await this.#lab.world.client.get(
        ROLLBACK_POLICIES,
        { namespace: NAMESPACE, name },
        { signal: new AbortController().signal },
      );
      progress(`soak: ${name} was not rolled back: ${status?.lastDecision?.reason ?? "nothing was decided"}`);
    } else {
      this.count.rolledBack += 1;
    }
    this.#mock.fail([app], false);
  }
}

function nameOf(app: number): string {
  return `web-${app}`;
}

/** Every version was live once. */
async function prepare(shop: Shop, app: number): Promise<void> {
  const name = nameOf(app);
  await shop.open(name);
  for (const image of [BAD, GOOD[1], GOOD[0]]) await shop.release(image, name);
}

async function startFast(lab: FireLab, mock: MockPrometheus): Promise<OperatorProcess> {
  const flags = ["--max-semi-space-size=2", "--optimize-for-size", "--no-opt", "--no-maglev"];
  const operator = await lab.start({
    program: [process.execPath, ...flags, "bench/soak/operator.mts"],
    env: { ...INSPECTABLE, SOAK_SPEED: String(SPEED), MALLOC_ARENA_MAX: "1" },
    // A lease of an hour is one of a minute here.
    config: `leaderElection: {leaseDuration: 60m, renewDeadline: 40m, retryPeriod: 4m}
prometheus: {servers: [{name: default, url: "${mock.url}", scrapeInterval: 15s, timeout: 10s}]}
limits: {automaticRollbacksPer10Minutes: 10000, sharedBreachTargets: 0}
`,
  });
  await until(
    "the operator leads",
    () => operatorMetrics(operator.url),
    ({ leading }) => leading,
  );
  return operator;
}

async function watch({ world }: FireLab, name: string): Promise<void> {
  const spec = {
    target: { kind: "Deployment", name },
    serviceAccountName: "rollback-executor",
    interval: "60s",
    bake: "5m",
    signals: [
      {
        name: "error-rate",
        prometheus: {
          ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "1m" },
          match: { app: name },
        },
      },
    ],
    matrix: [
      {
        name: "errors",
        when: { signal: "error-rate", above: "0.10", for: "2m" },
        severity: "SEV1",
        action: "Rollback",
      },
    ],
    guards: { settle: "0s", cooldown: "0s", maxPerDay: 100 },
  };
  const { signal } = new AbortController();
  // The server fills in the defaults that the type calls required.
  await world.client.create(
    ROLLBACK_POLICIES,
    { metadata: { namespace: NAMESPACE, name }, spec: spec as unknown as RollbackPolicy["spec"] },
    { signal },
  );
}
