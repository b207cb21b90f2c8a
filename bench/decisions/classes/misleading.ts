import type { IncidentClass, Plot } from "../incident-class.ts";
import { ASK, NEEDED, SILENCE } from "../label.ts";
import type { Stage, StagedRelease } from "../stage.ts";
import { brokenPods, CRITICAL, outage, releaseTime } from "./ingredients.ts";

/** Some of the evidence is missing or points the wrong way; the rest of it still tells the truth. */
export const MISLEADING: readonly IncidentClass[] = [
  {
    name: "regression-that-spreads",
    count: 60,
    story:
      "services that call the broken one fail with it, as in an outage; old pods of it serve well beside new ones",
    options: (random) => ({ bootSeconds: random.between(15, 45) }),
    play(stage) {
      const { random } = stage;
      const bad = stage.release(releaseTime(random));
      const share = random.between(0.4, 1);
      stage.failing.push(brokenPods(bad, share));
      for (let count = random.integer(2, 3); count > 0; count -= 1) {
        const part = random.between(0.5, 1);
        stage.addNeighbours(1, [({ t }) => part * share * stage.shareOf(bad.hash, t)]);
      }
      stage.addNeighbours(random.integer(0, 2));
      return caused(bad);
    },
  },
  {
    name: "regression-with-retries",
    count: 60,
    story: "clients try again what fails: the broken release brings twice or three times the traffic with it",
    options: (random) => ({ bootSeconds: random.between(15, 45) }),
    play(stage) {
      const { random } = stage;
      const bad = stage.release(releaseTime(random));
      const [share, retries] = [random.between(0.5, 1), random.between(1.5, 3)];
      stage.failing.push(brokenPods(bad, share));
      stage.traffic.push((t) => 1 + retries * share * stage.shareOf(bad.hash, t));
      stage.addNeighbours(random.integer(2, 4));
      return caused(bad);
    },
  },
  {
    name: "regression-after-recreate",
    count: 60,
    story:
      "all old pods stop before the first new one starts (strategy Recreate): there is nothing to compare with",
    play(stage) {
      const { random } = stage;
      stage.addNeighbours(random.integer(2, 4));
      const bad = stage.recreate(releaseTime(random));
      stage.failing.push(brokenPods(bad, random.between(0.25, 1)));
      return caused(bad);
    },
  },
  {
    name: "regression-without-pod-names",
    count: 60,
    story: "metrics name addresses instead of pods: nobody can tell old ones from new ones",
    options: () => ({ hidesPods: true }),
    play(stage) {
      const { random } = stage;
      stage.addNeighbours(random.integer(2, 4));
      const bad = stage.release(releaseTime(random));
      stage.failing.push(brokenPods(bad, random.between(0.25, 1)));
      return caused(bad);
    },
  },
  {
    name: "outage-without-pod-names",
    count: 60,
    story: "the same metrics, and a dependency of several services goes down 30 s after a release",
    options: (random) => ({ hidesPods: true, bootSeconds: random.between(20, 45) }),
    play(stage): Plot {
      const { random } = stage;
      const at = releaseTime(random);
      stage.release(at);
      const from = at + random.between(20, 40);
      const down = outage(from, random.between(400, 1_200), random.between(0.4, 1));
      stage.failing.push(down);
      for (let count = random.integer(2, 4); count > 0; count -= 1) {
        const part = random.between(0.7, 1);
        stage.addNeighbours(1, [(request) => part * down(request)]);
      }
      return { label: ASK, faultAt: from };
    },
  },
  {
    name: "regression-while-scaling",
    count: 60,
    story: "an autoscaler adds pods of the new release while it fails",
    play(stage) {
      const { random, replicas } = stage;
      stage.addNeighbours(random.integer(2, 4));
      const bad = stage.release(releaseTime(random));
      stage.scaleUp(bad.completedAt + random.between(10, 120), random.integer(1, replicas));
      stage.failing.push(brokenPods(bad, random.between(0.25, 1)));
      return caused(bad);
    },
  },
  {
    name: "good-release-while-scaling",
    count: 60,
    story: "an autoscaler adds pods after a good release, for traffic that grows as it does on other days",
    play(stage: Stage): Plot {
      const { random, replicas } = stage;
      stage.addNeighbours(random.integer(2, 4));
      const good = stage.release(releaseTime(random));
      stage.scaleUp(good.completedAt + random.between(10, 600), random.integer(1, replicas));
      return { label: SILENCE };
    },
  },
];

function caused({ revision, startedAt }: StagedRelease): Plot {
  return { label: NEEDED, bad: [revision], shows: CRITICAL, faultAt: startedAt };
}
