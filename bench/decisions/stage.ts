import { anyOf, type App, type Pod, type Request, type Route, type Share } from "./app.ts";
import { randomOf, type Random } from "./random.ts";
import { SCRAPE_SECONDS } from "./simulate.ts";

/** Seconds of the block that every incident lies in; its origin is the block's first second. */
export const BLOCK_SECONDS = 7_200;
const DAY_SECONDS = 86_400;

/** Which signals and rows the policy of an incident has, see policy.ts. */
export type Profile = "errors" | "routes" | "latency";

/** What `kubectl-rollback backtest` is told of a release, in seconds since the origin. */
export interface StagedRelease {
  readonly revision: number;
  readonly hash: string;
  readonly startedAt: number;
  /** Its last pod was ready, the last old one gone. */
  readonly completedAt: number;
  /** It had proven itself long before the block begins. */
  readonly isKnownGood: boolean;
}

export interface StageOptions {
  readonly replicas?: number;
  readonly rps?: number;
  readonly profile?: Profile;
  readonly routes?: readonly Route[];
  /** A day of metrics before the block. */
  readonly hasHistory?: boolean;
  /** Seconds from the creation of a pod to the moment it serves, of rolling updates. */
  readonly bootSeconds?: number;
  readonly baseline?: number;
  /** Its metrics have no label that names the pod. */
  readonly hidesPods?: boolean;
}

/** A service with neighbours in a namespace of its own, to which an incident is about to happen. */
export class Stage {
  readonly random: Random;
  readonly origin: number;
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly profile: Profile;
  readonly routes: readonly Route[];
  readonly releases: StagedRelease[] = [];
  readonly pods: Pod[] = [];
  /** Add to it what goes wrong. */
  readonly failing: Share[] = [];
  /** Factors of the traffic. */
  readonly traffic: ((t: number) => number)[] = [];
  /** Factors of the median duration. */
  readonly slowness: ((request: Request) => number)[] = [];
  /** A scrape that any of them refuses is not stored. */
  readonly scraped: ((pod: Pod, t: number) => boolean)[] = [];
  /** Scrapes of everything in the namespace that are not stored. */
  readonly blackouts: ((t: number) => boolean)[] = [];
  readonly neighbours: Neighbour[] = [];
  /** Of the durations of its requests, seconds. */
  readonly median: number;
  readonly sigma: number;
  readonly #options: StageOptions;

  /** `origin`: seconds since the epoch, of the block. */
  constructor(random: Random, id: string, origin: number, options: StageOptions = {}) {
    this.random = random;
    this.origin = origin;
    this.#options = options;
    this.namespace = id;
    this.name = `${random.pick(["api", "web", "search", "models", "ingest", "gateway"])}-${random.word(3)}`;
    this.replicas = options.replicas ?? random.integer(3, 8);
    this.profile = options.profile ?? random.pick(["errors", "errors", "routes", "latency"]);
    this.routes = options.routes ?? someRoutes(random);
    this.traffic.push(
      steady(options.rps ?? random.magnitude(12, 120)),
      daily(random, origin),
      restless(random, this.since),
    );
    this.median = random.magnitude(0.02, 0.12);
    this.sigma = random.between(0.4, 0.7);
    const baseline = options.baseline ?? random.pick([0, random.magnitude(0.0005, 0.008)]);
    this.failing.push(() => baseline);
    this.#begin();
  }

  get since(): number {
    return this.#options.hasHistory === true ? -DAY_SECONDS : 0;
  }

  get live(): StagedRelease {
    const last = this.releases.at(-1);
    if (last === undefined) throw new Error("a stage begins with a release");
    return last;
  }

  /** A rolling update: one new pod after the other, each old one goes when its successor serves. */
  release(startedAt: number): StagedRelease {
    const { random } = this;
    const hash = podTemplateHash(random);
    const boot = this.#options.bootSeconds ?? random.between(8, 40);
    let at = startedAt;
    for (let index = 0; index < this.replicas; index += 1) {
      const ready = at + boot * random.between(0.8, 1.2);
      this.#end(index, ready + random.between(0, 3));
      this.pods.push({ ...this.#pod(hash, index), from: at, ready });
      at = ready;
    }
    return this.#announce(hash, startedAt, at);
  }

  /** Strategy Recreate: all old pods go, then the new ones come. */
  recreate(startedAt: number): StagedRelease {
    const { random } = this;
    const hash = podTemplateHash(random);
    const gone = startedAt + random.between(1, 5);
    let completedAt = gone;
    for (let index = 0; index < this.replicas; index += 1) {
      const ready = gone + random.between(8, 30);
      this.#end(index, gone);
      this.pods.push({ ...this.#pod(hash, index), from: gone, ready });
      completedAt = Math.max(completedAt, ready);
    }
    return this.#announce(hash, startedAt, completedAt);
  }

  /** More pods of the live release. */
  scaleUp(at: number, more: number): void {
    const { random, replicas } = this;
    for (let index = replicas; index < replicas + more; index += 1) {
      this.pods.push({ ...this.#pod(this.live.hash, index), from: at, ready: at + random.between(8, 40) });
    }
  }

  /** Share of the pods that serve at a moment and are of a release. */
  shareOf(hash: string, t: number): number {
    const serving = this.pods.filter(({ ready, to }) => t >= ready && t < to);
    return serving.length === 0 ? 0 : serving.filter((pod) => pod.hash === hash).length / serving.length;
  }

  /** Other services of the namespace. Give `failing` what fails in them, too. */
  addNeighbours(count: number, failing: readonly Share[] = []): readonly Neighbour[] {
    const added = Array.from({ length: count }, () => neighbour(this, failing));
    this.neighbours.push(...added);
    return added;
  }

  /** The service and its neighbours as they are played. */
  apps(): readonly App[] {
    const { random } = this;
    const target: App = {
      namespace: this.namespace,
      name: this.name,
      pods: this.pods,
      routes: this.routes,
      traffic: (t) => this.rps(t),
      failing: anyOf(this.failing),
      latency: this.profile === "latency" ? (request) => this.#latency(request) : undefined,
      namesPods: this.#options.hidesPods !== true,
      isScraped: (pod, t) => !this.isDark(t) && this.scraped.every((stored) => stored(pod, t)),
      since: this.since,
      badStatus: random.pick(["500", "503"]),
      notFound: random.chance(0.2) ? 0.02 : 0,
    };
    return [target, ...this.neighbours.map(({ app }) => app)];
  }

  /** Requests per second of the whole service. */
  rps(t: number): number {
    return this.traffic.reduce((product, factor) => product * factor(t), 1);
  }

  isDark(t: number): boolean {
    return this.blackouts.some((dark) => dark(t));
  }

  #latency(request: Request): { readonly median: number; readonly sigma: number } {
    const median = this.slowness.reduce((product, factor) => product * factor(request), this.median);
    return { median, sigma: this.sigma };
  }

  /** Restarts of every pod of a release, `every` so many seconds each. */
  crashLoop(hash: string, every: number, until: number): void {
    const { random, pods } = this;
    for (const [position, pod] of pods.entries()) {
      if (pod.hash !== hash) continue;
      const restarts: number[] = [];
      for (
        let t = pod.ready + every * random.between(0.5, 1.2);
        t < until;
        t += every * random.between(0.7, 1.3)
      )
        restarts.push(t);
      pods[position] = { ...pod, restarts };
    }
  }

  /** The release that runs when the metrics begin, days old and proven, and the one before it. */
  #begin(): void {
    const { random } = this;
    const revision = random.integer(3, 30);
    const days = random.between(1.5, 6) * DAY_SECONDS;
    const hash = podTemplateHash(random);
    for (const [age, number, each] of [
      [days + random.between(1, 4) * DAY_SECONDS, revision - 1, podTemplateHash(random)],
      [days, revision, hash],
    ] as const) {
      const completedAt = 120 - age;
      this.releases.push({ revision: number, hash: each, startedAt: -age, completedAt, isKnownGood: true });
    }
    for (let index = 0; index < this.replicas; index += 1) this.pods.push(this.#pod(hash, index));
  }

  #announce(hash: string, startedAt: number, completedAt: number): StagedRelease {
    const revision = this.live.revision + 1;
    this.releases.push({ revision, hash, startedAt, completedAt, isKnownGood: false });
    return this.live;
  }

  #pod(hash: string, index: number): Pod {
    const name = `${this.name}-${hash}-${this.random.word(5)}`;
    return immortal(name, hash, index);
  }

  /** Ends the pods that serve at a position; one that is still starting is given up. */
  #end(index: number, to: number): void {
    for (const [position, pod] of this.pods.entries()) {
      if (pod.index === index && pod.to > to) this.pods[position] = { ...pod, to };
    }
  }
}

export interface Neighbour {
  readonly app: App;
  /** Its pods may be replaced by those of a release of its own. */
  readonly pods: Pod[];
}

/** A release of a neighbour, one pod after the other; returns its hash. */
export function releaseNeighbour({ random }: Stage, { app, pods }: Neighbour, startedAt: number): string {
  const hash = podTemplateHash(random);
  let at = startedAt;
  for (const [position, old] of [...pods].entries()) {
    const ready = at + random.between(10, 40);
    pods[position] = { ...old, to: ready };
    pods.push({ ...old, name: `${app.name}-${hash}-${random.word(5)}`, hash, from: at, ready });
    at = ready;
  }
  return hash;
}

function neighbour(stage: Stage, failing: readonly Share[]): Neighbour {
  const { random, namespace, origin } = stage;
  const name = `${random.pick(["billing", "auth", "cart", "mail", "quota", "events"])}-${random.word(4)}`;
  const hash = podTemplateHash(random);
  const pods: Pod[] = Array.from({ length: 2 }, (_, index) =>
    immortal(`${name}-${hash}-${random.word(5)}`, hash, index),
  );
  const baseline = random.pick([0, 0, random.magnitude(0.001, 0.01)]);
  const factors = [steady(random.magnitude(5, 40)), daily(random, origin), restless(random, 0)];
  const app: App = {
    namespace,
    name,
    pods,
    routes: [{ path: "/", share: 1 }],
    traffic: (t) => factors.reduce((product, factor) => product * factor(t), 1),
    failing: anyOf([() => baseline, ...failing]),
    latency: undefined,
    namesPods: true,
    isScraped: (_, t) => !stage.isDark(t),
    since: 0,
    badStatus: "500",
    notFound: 0,
  };
  return { app, pods };
}

/** A pod that was always there and stays. */
function immortal(name: string, hash: string, index: number): Pod {
  const address = addressOf(name);
  return { name, hash, address, index, from: -Infinity, ready: -Infinity, to: Infinity, restarts: [] };
}

/** Drawn from the name, so that no pod costs a random number more than before. */
function addressOf(name: string): string {
  const random = randomOf(name);
  return `10.${random.integer(0, 255)}.${random.integer(0, 255)}.${random.integer(1, 254)}`;
}

/** As the Deployment controller writes them: up to ten characters. */
export function podTemplateHash(random: Random): string {
  return random.word(random.integer(9, 10));
}

function someRoutes(random: Random): readonly Route[] {
  const paths = ["/models", "/datasets", "/prompts", "/experiments"].slice(0, random.integer(1, 3));
  const weights = paths.map(() => random.between(0.5, 2));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return paths.map((path, index) => ({ path, share: (weights[index] ?? 0) / sum }));
}

function steady(rps: number): (t: number) => number {
  return () => rps;
}

function daily(random: Random, origin: number): (t: number) => number {
  const [amplitude, peak] = [random.between(0.1, 0.5), random.between(10, 20) * 3_600];
  return (t) => 1 + amplitude * Math.cos((2 * Math.PI * (origin + t - peak)) / DAY_SECONDS);
}

/** Traffic wanders: a factor around one that remembers where it was for some minutes. */
function restless(random: Random, since: number): (t: number) => number {
  const size = random.between(0.03, 0.12);
  const factors: number[] = [];
  let level = 0;
  for (let t = since; t < BLOCK_SECONDS; t += SCRAPE_SECONDS) {
    level = 0.9 * level + Math.sqrt(1 - 0.9 ** 2) * random.normal();
    factors.push(Math.exp(size * level));
  }
  return (t) => factors[Math.max(0, Math.floor((t - since) / SCRAPE_SECONDS))] ?? 1;
}
