import { isWithin } from "../app.ts";
import type { IncidentClass, Plot } from "../incident-class.ts";
import { EITHER, LEAVE, REPORT, SILENCE, TELL, type Label } from "../label.ts";
import { brokenPods, bursts, goodReleaseBefore, overload, releaseTime, surge } from "./ingredients.ts";
import type { Stage } from "../stage.ts";

const DAY_SECONDS = 86_400;

/** Nothing is wrong with the release: traffic, chance and missing data only look like it. */
export const TRAFFIC_AND_DATA: readonly IncidentClass[] = [
  {
    name: "traffic-surge",
    count: 65,
    story: "several times the usual traffic, more than the service can bear; the last release is days old",
    play(stage) {
      stage.addNeighbours(stage.random.integer(2, 4));
      return overrun(stage, stage.random.between(4_300, 5_400), REPORT);
    },
  },
  {
    name: "surge-after-good-release",
    count: 65,
    story: "the same minutes after a good release: any release would break under it",
    play(stage) {
      const from = stage.random.between(4_800, 5_600);
      goodReleaseBefore(stage, from, [120, 1_500]);
      stage.addNeighbours(stage.random.integer(2, 4));
      return overrun(stage, from, TELL);
    },
  },
  {
    name: "noisy-baseline",
    count: 65,
    story: "errors come and go all day, sometimes for minutes; a good release changes nothing about it",
    options: (random) => ({
      hasHistory: true,
      profile: random.pick(["errors", "routes"]),
      replicas: random.integer(3, 4),
      rps: random.magnitude(20, 120),
    }),
    play(stage) {
      stage.failing.push(bursts(stage, { pause: [400, 1_200], length: [15, 220], share: [0.08, 0.35] }));
      return harmlessRelease(stage, LEAVE);
    },
  },
  {
    name: "nightly-job",
    count: 65,
    story:
      "a job that fails much of its requests runs at the same time every day, today soon after a good release",
    options: (random) => ({
      hasHistory: true,
      profile: random.pick(["errors", "routes"]),
      replicas: random.integer(3, 4),
      rps: random.magnitude(20, 100),
      routes: [
        { path: "/models", share: 0.7 },
        { path: "/batch", share: 0.3 },
      ],
    }),
    play(stage) {
      const { random } = stage;
      const at = releaseTime(random);
      stage.release(at);
      stage.addNeighbours(random.integer(2, 4));
      const from = at + random.between(60, 1_500);
      const [length, share, late] = [
        random.between(480, 1_200),
        random.between(0.55, 0.9),
        random.between(-60, 60),
      ];
      const runs = (t: number) => isWithin(t, from, length) || isWithin(t + DAY_SECONDS, from + late, length);
      stage.traffic.push((t) => (runs(t) ? 1.25 : 1));
      stage.failing.push(({ t, route }) => (route.path === "/batch" && runs(t) ? share : 0));
      return { label: TELL, faultAt: from };
    },
  },
  {
    name: "thin-traffic",
    count: 65,
    story:
      "less than 50 requests a minute, some fail, in half of the cases because of the release: too few to tell",
    options: (random) => ({ rps: random.magnitude(0.06, 0.4), replicas: random.integer(2, 3) }),
    play(stage) {
      const { random } = stage;
      const plot = harmlessRelease(stage, SILENCE);
      const share = random.between(0.2, 0.6);
      stage.failing.push(random.chance(0.5) ? brokenPods(stage.live, share) : () => share / 2);
      return plot;
    },
  },
  {
    name: "scrape-gap",
    count: 65,
    story: "nothing is scraped for up to six minutes around a good release",
    play(stage) {
      const { random } = stage;
      const plot = harmlessRelease(stage, SILENCE);
      const from = stage.live.startedAt + random.between(-120, 300);
      const length = random.between(30, 360);
      if (random.chance(0.5)) stage.blackouts.push((t) => isWithin(t, from, length));
      else stage.scraped.push((_, t) => !isWithin(t, from, length));
      return plot;
    },
  },
  {
    name: "counter-reset",
    count: 65,
    story: "pods of a good release restart: their counters begin anew, no request fails",
    play(stage) {
      const plot = harmlessRelease(stage, SILENCE);
      stage.crashLoop(stage.live.hash, stage.random.between(120, 900), 7_200);
      return plot;
    },
  },
  {
    name: "exporter-gone",
    count: 65,
    story:
      "metrics of the new pods, or of all, are not there any more; in half of the cases they do fail: nobody knows",
    play(stage) {
      const { random } = stage;
      const plot = harmlessRelease(stage, SILENCE);
      const { hash, startedAt } = stage.live;
      const isGone = random.chance(0.5);
      const from = startedAt + random.between(-60, 15);
      stage.scraped.push((pod, t) => (isGone ? t < from : pod.hash !== hash));
      if (random.chance(0.5)) stage.failing.push(brokenPods(stage.live, random.between(0.3, 1)));
      return plot;
    },
  },
  {
    name: "slow-start",
    count: 65,
    story: "each new pod fails in its first seconds, and is well before two minutes have passed",
    options: (random) => ({ replicas: random.integer(3, 4), bootSeconds: random.between(8, 14) }),
    play(stage) {
      const { random } = stage;
      const plot = harmlessRelease(stage, LEAVE);
      const { hash } = stage.live;
      const [length, share] = [random.between(5, 15), random.between(0.5, 1)];
      stage.failing.push(({ t, pod }) => (pod.hash === hash && t < pod.ready + length ? share : 0));
      return plot;
    },
  },
  {
    name: "good-release",
    count: 65,
    story: "a release, and nothing happens",
    play: (stage) => harmlessRelease(stage, SILENCE),
  },
  {
    name: "first-of-two",
    count: 65,
    story:
      "a bad release, and another on top of it before the row fires: going back mends it, asking is as good",
    options: (random) => ({ bootSeconds: random.between(6, 18) }),
    play(stage) {
      const { random } = stage;
      const bad = stage.release(releaseTime(random));
      const next = stage.release(bad.completedAt + random.between(5, 60));
      const share = random.between(0.3, 1);
      stage.failing.push(brokenPods(bad, share), brokenPods(next, share));
      stage.addNeighbours(random.integer(2, 4));
      return { label: EITHER, bad: [bad.revision, next.revision], faultAt: bad.startedAt };
    },
  },
];

function harmlessRelease(stage: Stage, label: Label): Plot {
  stage.addNeighbours(stage.random.integer(2, 4));
  stage.release(releaseTime(stage.random));
  return { label };
}

/** Far more traffic than any before it, and than what every release can bear. */
function overrun(stage: Stage, from: number, label: Label): Plot {
  const { random, replicas } = stage;
  const factor = random.between(3, 6);
  const capacity = (stage.rps(from) / replicas) * random.between(1.5, 2);
  stage.traffic.push(surge(from, random.between(40, 180), random.between(600, 1_200), factor));
  stage.failing.push(overload(capacity));
  return { label, faultAt: from };
}
