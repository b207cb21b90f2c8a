import { isWithin, ramp } from "../app.ts";
import type { IncidentClass } from "../incident-class.ts";
import { NEEDED } from "../label.ts";
import { brokenPods, bursts, CRITICAL, overload, releaseTime, surge } from "./ingredients.ts";
import { releaseNeighbour, type Stage, type StagedRelease } from "../stage.ts";

/** The release did it: going back mends it. */
export const REGRESSIONS: readonly IncidentClass[] = [
  {
    name: "regression-at-once",
    count: 90,
    story: "pods of the new release fail a quarter or more of their requests from the first one on",
    options: (random) => ({ bootSeconds: random.magnitude(6, 55) }),
    play: (stage) => breaks(stage, stage.random.between(0.25, 1)),
  },
  {
    name: "partial-regression",
    count: 75,
    story: "new pods fail 14 to 20 %: the row's 10 % are crossed only when most pods are new",
    options: (random) => ({ rps: random.magnitude(60, 160) }),
    play: (stage) => breaks(stage, stage.random.between(0.14, 0.2)),
  },
  {
    name: "slow-leak",
    count: 75,
    story: "each new pod is fine for minutes, then fails more and more with its age",
    play(stage) {
      const { random } = stage;
      const [fine, length, top] = [
        random.between(120, 420),
        random.between(400, 1_000),
        random.between(0.4, 1),
      ];
      const bad = announce(stage);
      stage.failing.push(({ t, pod }) =>
        pod.hash === bad.hash ? top * ramp(t - pod.ready, fine, length) : 0,
      );
      return caused(bad);
    },
  },
  {
    name: "one-route",
    count: 75,
    story: "only one route with a few percent of the traffic breaks, the service as a whole looks well",
    options: (random) => {
      const small = random.between(0.05, 0.08);
      const big = random.between(0.4, 0.6);
      return {
        profile: "routes",
        rps: random.magnitude(60, 160),
        routes: [
          { path: "/models", share: big },
          { path: "/datasets", share: 1 - big - small },
          { path: "/prompts", share: small },
        ],
      };
    },
    play(stage) {
      const share = stage.random.between(0.5, 1);
      const bad = announce(stage);
      stage.failing.push(({ pod, route }) =>
        pod.hash === bad.hash && route.path === "/prompts" ? share : 0,
      );
      return { ...caused(bad), shows: { kind: "RouteErrors", path: "/prompts", above: 0.25 } };
    },
  },
  {
    name: "only-under-load",
    count: 75,
    story: "traffic comes in waves; the old release bore the last peak, the new one breaks at the next",
    play(stage) {
      const { random, replicas } = stage;
      const at = releaseTime(random);
      const [period, height] = [random.between(1_800, 2_400), random.between(1.6, 2.4)];
      stage.traffic.push((t) => 1 + height * (0.5 - 0.5 * Math.cos((2 * Math.PI * (t - at)) / period)) ** 2);
      const peak = stage.rps(at + period / 2) / replicas;
      const broken = overload(peak * random.between(0.45, 0.6));
      const bad = announce(stage, at);
      stage.failing.push((request) => (request.pod.hash === bad.hash ? broken(request) : 0));
      return caused(bad);
    },
  },
  {
    name: "latency-regression",
    count: 75,
    story: "new pods answer correctly, but slowly",
    options: () => ({ profile: "latency" }),
    play(stage) {
      const slow = slowTo(stage, stage.random.between(1.6, 6));
      const bad = announce(stage);
      stage.slowness.push(({ pod }) => (pod.hash === bad.hash ? slow : 1));
      return { ...caused(bad), shows: { kind: "Slowness" } };
    },
  },
  {
    name: "latency-leak",
    count: 60,
    story: "each new pod becomes slower with its age",
    options: () => ({ profile: "latency" }),
    play(stage) {
      const { random } = stage;
      const slow = slowTo(stage, random.between(2.5, 6));
      const [fine, length] = [random.between(120, 420), random.between(400, 900)];
      const bad = announce(stage);
      stage.slowness.push(({ t, pod }) =>
        pod.hash === bad.hash ? 1 + (slow - 1) * ramp(t - pod.ready, fine, length) : 1,
      );
      return { ...caused(bad), shows: { kind: "Slowness" } };
    },
  },
  {
    name: "regression-in-scrape-gap",
    count: 75,
    story: "nothing is scraped for one to three minutes while the bad release rolls out",
    play(stage) {
      const { random } = stage;
      const plot = breaks(stage, random.between(0.3, 1));
      const from = stage.live.startedAt + random.between(10, 60);
      const length = random.between(45, 170);
      if (random.chance(0.5)) stage.blackouts.push((t) => isWithin(t, from, length));
      else stage.scraped.push((_, t) => !isWithin(t, from, length));
      return plot;
    },
  },
  {
    name: "regression-with-restarts",
    count: 75,
    story: "new pods fail and restart every few minutes: their counters begin anew",
    play(stage) {
      const { random } = stage;
      const plot = breaks(stage, random.between(0.4, 0.95));
      stage.crashLoop(stage.live.hash, random.between(70, 240), 7_200);
      return plot;
    },
  },
  {
    name: "regression-on-noisy-baseline",
    count: 75,
    story: "errors come and go all day, below and above the threshold; then a release really breaks",
    options: (random) => ({
      hasHistory: true,
      profile: random.pick(["errors", "routes"]),
      replicas: random.integer(3, 4),
      rps: random.magnitude(20, 120),
    }),
    play(stage) {
      const { random } = stage;
      stage.failing.push(bursts(stage, { pause: [300, 900], length: [15, 90], share: [0.03, 0.2] }));
      return breaks(stage, random.between(0.4, 0.95));
    },
  },
  {
    name: "second-of-two",
    count: 75,
    story: "a good release, minutes later a bad one",
    options: (random) => ({ bootSeconds: random.between(6, 25) }),
    play(stage) {
      const { random } = stage;
      const at = releaseTime(random);
      const good = stage.release(at - random.between(60, 360));
      const bad = announce(stage, Math.max(at, good.completedAt + random.between(15, 90)));
      stage.failing.push(brokenPods(bad, random.between(0.3, 1)));
      return caused(bad);
    },
  },
  {
    name: "low-traffic-regression",
    count: 75,
    story: "little traffic, but enough: one to four requests a second",
    options: (random) => ({ rps: random.between(2.4, 4), replicas: random.integer(2, 3) }),
    play: (stage) => breaks(stage, stage.random.between(0.5, 1)),
  },
  {
    name: "regression-beside-neighbour-release",
    count: 75,
    story: "a neighbour releases at the same time, and has nothing to do with it",
    play(stage) {
      const { random } = stage;
      const plot = breaks(stage, random.between(0.3, 1));
      const [neighbour] = stage.addNeighbours(1);
      if (neighbour !== undefined) {
        releaseNeighbour(stage, neighbour, stage.live.startedAt + random.between(-30, 60));
      }
      return plot;
    },
  },
  {
    name: "regression-with-surge",
    count: 75,
    story: "the release is announced: more traffic comes in the same minutes, but that is not why it fails",
    play(stage) {
      const { random } = stage;
      const plot = breaks(stage, random.between(0.3, 1));
      const from = stage.live.startedAt + random.between(0, 120);
      stage.traffic.push(surge(from, 60, 7_200, random.between(1.4, 2)));
      return plot;
    },
  },
];

function announce(stage: Stage, at = releaseTime(stage.random)): StagedRelease {
  stage.addNeighbours(stage.random.integer(2, 4));
  return stage.release(at);
}

function breaks(stage: Stage, share: number) {
  const bad = announce(stage);
  stage.failing.push(brokenPods(bad, share));
  return caused(bad);
}

function caused({ revision, startedAt }: StagedRelease) {
  return { label: NEEDED, bad: [revision], shows: CRITICAL, faultAt: startedAt } as const;
}

/** By what the median has to grow so that 5 % of the requests take longer than `p95` seconds. */
function slowTo({ median, sigma }: Stage, p95: number): number {
  return p95 / (median * Math.exp(1.645 * sigma));
}
