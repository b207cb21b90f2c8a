/** A made-up service, as its metrics would show it. Times are seconds since the origin of its incident. */

export interface App {
  readonly namespace: string;
  readonly name: string;
  readonly pods: readonly Pod[];
  readonly routes: readonly Route[];
  /** Requests per second of the whole service. */
  readonly traffic: (t: number) => number;
  /** The share of requests that fail. */
  readonly failing: Share;
  /** Of the durations, a log-normal distribution; absent where the service has no histogram. */
  readonly latency: ((request: Request) => { readonly median: number; readonly sigma: number }) | undefined;
  /** False: its metrics name addresses, not pods. */
  readonly namesPods: boolean;
  /** Whether a scrape of the pod at that second is stored. */
  readonly isScraped: (pod: Pod, t: number) => boolean;
  /** The first second that its metrics are known for. */
  readonly since: number;
  readonly badStatus: "500" | "503";
  /** Share of the good requests that end with 404. */
  readonly notFound: number;
}

export interface Pod {
  readonly name: string;
  readonly hash: string;
  readonly address: string;
  /** Position among the replicas: old and new pod of a rolling update share it. */
  readonly index: number;
  /** Scraped from here on. */
  readonly from: number;
  /** Gets traffic from here on. */
  readonly ready: number;
  readonly to: number;
  /** When its process began anew, and its counters with it. */
  readonly restarts: readonly number[];
}

export interface Route {
  readonly path: string;
  /** Of all requests; the shares of a service add up to 1. */
  readonly share: number;
}

/** Where and when a request is served. */
export interface Request {
  readonly t: number;
  readonly pod: Pod;
  readonly route: Route;
  /** Requests per second of its pod. */
  readonly load: number;
}

export type Share = (request: Request) => number;

/** Several causes, each of which fails requests independently of the others. */
export function anyOf(shares: readonly Share[]): Share {
  return (request) => 1 - shares.reduce((fine, share) => fine * (1 - clamp(share(request))), 1);
}

export function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

/** From 0 at `from` to 1 at `from + length`. */
export function ramp(t: number, from: number, length: number): number {
  return length <= 0 ? (t >= from ? 1 : 0) : clamp((t - from) / length);
}

export function isWithin(t: number, from: number, length: number): boolean {
  return t >= from && t < from + length;
}
