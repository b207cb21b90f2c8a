import { isWithin, type Share } from "../app.ts";
import type { IncidentClass, Plot } from "../incident-class.ts";
import { ASK, LEAVE, REPORT, TELL, type Label } from "../label.ts";
import { brokenPods, goodReleaseBefore, outage, releaseTime } from "./ingredients.ts";
import { releaseNeighbour, type Stage } from "../stage.ts";

/** Something else broke: going back mends nothing. */
export const OUTAGES: readonly IncidentClass[] = [
  {
    name: "dependency-outage",
    count: 65,
    story: "what several services need is down; the last release is days old",
    play: (stage) => dependencyOutage(stage, stage.random.between(4_300, 5_400), REPORT),
  },
  {
    name: "dependency-outage-after-release",
    count: 65,
    story: "a good release is complete for minutes when what several services need goes down",
    play(stage) {
      const from = stage.random.between(4_800, 5_600);
      goodReleaseBefore(stage, from, [150, 2_000]);
      return dependencyOutage(stage, from, TELL);
    },
  },
  {
    name: "dependency-outage-30s-after-release",
    count: 65,
    story: "what the service needs goes down 30 s after a release begins: old and new pods fail alike, ask",
    // Still rolling out when it happens.
    options: (random) => ({ bootSeconds: random.between(20, 45) }),
    play(stage) {
      const { random } = stage;
      const at = releaseTime(random);
      stage.release(at);
      const from = at + random.between(20, 40);
      return random.chance(0.75) ? dependencyOutage(stage, from, ASK) : ownOutage(stage, from, ASK);
    },
  },
  {
    name: "release-during-outage",
    count: 65,
    story: "an outage is under way when somebody releases, perhaps to mend it",
    play(stage) {
      const { random } = stage;
      const at = releaseTime(random);
      const from = at - random.between(180, 700);
      addOutage(stage, outage(from, random.between(1_200, 2_000), random.between(0.3, 1)));
      stage.release(at);
      return { label: REPORT, faultAt: from };
    },
  },
  {
    name: "node-failure",
    count: 65,
    story:
      "pods on one node fail or vanish, and those of the neighbours there; half of the time after a good release",
    options: (random) => ({ replicas: random.integer(3, 8) }),
    play(stage) {
      const { random } = stage;
      const from = random.between(4_800, 5_600);
      const isRecent = random.chance(0.5);
      if (isRecent) goodReleaseBefore(stage, from, [480, 1_800]);
      const [length, share] = [random.between(260, 720), random.between(0.6, 1)];
      const onNode = Math.ceil(stage.replicas / 3);
      const isOnNode = ({ index }: { readonly index: number }) => index < onNode;
      const lost = random.chance(0.5);
      stage.failing.push(({ t, pod }) =>
        isWithin(t, from, length) && isOnNode(pod) !== lost ? (lost ? share * 0.3 : share) : 0,
      );
      if (lost) stage.scraped.push((pod, t) => !isOnNode(pod) || !isWithin(t, from, length));
      const failing: Share = ({ t, pod }) => (isWithin(t, from, length) && pod.index === 0 ? share : 0);
      stage.addNeighbours(random.integer(1, 2), [failing]);
      stage.addNeighbours(random.integer(1, 2));
      return { label: isRecent ? TELL : REPORT, faultAt: from };
    },
  },
  {
    name: "neighbour-release",
    count: 65,
    story:
      "a service that ours calls ships a bad release, and ours fails with it; mostly after a good one of ours",
    play(stage) {
      const { random } = stage;
      const from = random.between(4_700, 5_400);
      const isRecent = random.chance(0.6);
      if (isRecent) goodReleaseBefore(stage, from, [200, 1_800]);
      const upstream: Share[] = [];
      const [called] = stage.addNeighbours(1, [(request) => upstream[0]?.(request) ?? 0]);
      stage.addNeighbours(random.integer(1, 3));
      if (called === undefined) throw new Error("a neighbour was just added");
      const share = random.between(0.5, 1);
      const hash = releaseNeighbour(stage, called, from);
      upstream.push(brokenPods({ hash }, share));
      // As many of our calls fail as pods of it are bad.
      const isBad = (t: number) =>
        called.pods.filter((pod) => t >= pod.ready && t < pod.to && pod.hash === hash);
      const part = random.between(0.6, 1);
      stage.failing.push(({ t }) => (share * part * isBad(t).length) / 2);
      return { label: isRecent ? TELL : REPORT, faultAt: from };
    },
  },
  {
    name: "configuration-change",
    count: 65,
    story:
      "all pods load a bad configuration at once: long after a release, minutes after a good one, or while it rolls out",
    play(stage) {
      const { random } = stage;
      stage.addNeighbours(random.integer(2, 4));
      return suddenChange(stage, () => true);
    },
  },
  {
    name: "feature-flag-change",
    count: 65,
    story: "a flag is switched on for everybody: all pods fail at once, on all routes or on one",
    play(stage) {
      const { random } = stage;
      stage.addNeighbours(random.integer(2, 4));
      const [first] = stage.routes;
      const isWhole = (first?.share ?? 0) < 0.35 || random.chance(0.5);
      return suddenChange(stage, (path) => isWhole || path === first?.path);
    },
  },
  {
    name: "hotfix-in-time",
    count: 65,
    story: "a bad release, and its fix before two minutes have passed: leave it alone",
    options: (random) => ({ bootSeconds: random.between(6, 18), replicas: random.integer(3, 5) }),
    play(stage) {
      const { random } = stage;
      stage.addNeighbours(random.integer(2, 4));
      const bad = stage.release(releaseTime(random));
      stage.failing.push(brokenPods(bad, random.between(0.4, 1)));
      stage.release(bad.completedAt + random.between(5, 40));
      return { label: LEAVE, faultAt: bad.startedAt };
    },
  },
];

function dependencyOutage(stage: Stage, from: number, label: Label): Plot {
  const { random } = stage;
  addOutage(stage, outage(from, random.between(260, 1_200), random.between(0.3, 1)));
  return { label, faultAt: from };
}

/** Nobody but the service needs what is down. */
function ownOutage(stage: Stage, from: number, label: Label): Plot {
  const { random } = stage;
  stage.failing.push(outage(from, random.between(400, 1_200), random.between(0.3, 1)));
  stage.addNeighbours(random.integer(2, 4));
  return { label, faultAt: from };
}

/** Ours and most of the neighbours fail, each as much as it depends on what is down. */
function addOutage(stage: Stage, down: Share): void {
  const { random } = stage;
  const dependent = (): Share => {
    const part = random.between(0.7, 1);
    return (request) => part * down(request);
  };
  stage.failing.push(dependent());
  for (let count = random.integer(2, 4); count > 0; count -= 1) stage.addNeighbours(1, [dependent()]);
  stage.addNeighbours(random.integer(0, 1));
}

type ChangeTime = "LongAfter" | "After" | "RollingOut";

function suddenChange(stage: Stage, isHit: (path: string) => boolean): Plot {
  const { random } = stage;
  const when = random.pick<ChangeTime>(["LongAfter", "After", "After", "RollingOut"]);
  const share = random.between(0.4, 1);
  const length = random.between(400, 1_800);
  const [from, label] = changeTime(stage, when);
  stage.failing.push(({ t, route }) => (isHit(route.path) && isWithin(t, from, length) ? share : 0));
  return { label, faultAt: from };
}

function changeTime(stage: Stage, when: ChangeTime): readonly [from: number, label: Label] {
  const { random } = stage;
  switch (when) {
    case "LongAfter":
      return [random.between(4_300, 5_400), REPORT];
    case "After": {
      const from = random.between(4_900, 5_600);
      goodReleaseBefore(stage, from, [480, 1_800]);
      return [from, TELL];
    }
    case "RollingOut": {
      // While the second pod of three or more starts: there are old ones yet.
      const { startedAt, completedAt } = stage.release(releaseTime(random));
      return [startedAt + (completedAt - startedAt) * random.between(0.3, 0.5), ASK];
    }
  }
}
