import { targetHash } from "../../src/controllers/ledger/ledger.ts";
import { CONNECTION_LOST, type ApiCall, type Interceptor } from "./fault-proxy.ts";
import { isLeaderLease } from "./fault-proxy-lease.ts";

/** Where the process dies, relative to one write. */
export type CrashMode =
  /** The write never leaves. */
  | "before"
  /** The server did it, the answer is lost. */
  | "answer-lost"
  /** The answer arrived; the process dies at the next thing it says. */
  | "after"
  /** Nobody dies: the answer is lost and the process has to find out by itself. */
  | "answer-lost-alive";

export interface CrashPoint {
  readonly interceptor: Interceptor;
  /** The point and how the server answered; undefined while that write did not come. */
  readonly hit: () => string | undefined;
}

/**
 * Strikes at one write among those that `concerns` accepts, named as `namePoints` names it. `strike` must end the
 * process before it resolves, and may be called more than once.
 */
export function crashPoint(options: {
  readonly mode: CrashMode;
  readonly point: string;
  readonly concerns?: (call: ApiCall) => boolean;
  readonly strike: () => Promise<void>;
}): CrashPoint {
  const { mode, point, concerns = () => true, strike } = options;
  const nameOf = namePoints();
  let hit: string | undefined;
  let isDoomed = false;
  const interceptor: Interceptor = async (call, forward) => {
    if (isDoomed) {
      await strike();
      return CONNECTION_LOST;
    }
    if (hit !== undefined || !isLastingWrite(call) || !concerns(call)) return forward();
    if (nameOf(call) !== point) return forward();
    hit = point;
    if (mode === "before") {
      await strike();
      return CONNECTION_LOST;
    }
    const answer = await forward();
    hit = `${point} -> ${answer.status}`;
    if (mode === "answer-lost-alive") return CONNECTION_LOST;
    if (mode === "after") {
      isDoomed = true;
      return answer;
    }
    await strike();
    return CONNECTION_LOST;
  };
  return { interceptor, hit: () => hit };
}

/** Lets every call through and lists the points that it met, in order. */
export function pointRecorder(concerns: (call: ApiCall) => boolean = () => true): {
  readonly interceptor: Interceptor;
  readonly points: readonly string[];
} {
  const points: string[] = [];
  const nameOf = namePoints();
  const interceptor: Interceptor = (call, forward) => {
    if (isLastingWrite(call) && concerns(call)) points.push(nameOf(call));
    return forward();
  };
  return { interceptor, points };
}

/**
 * Names writes `PUT rollbackledgers #2`: verb, kind, and which of its kind since the start. A bare number would shift
 * with every status write that a run happens to need or not.
 */
function namePoints(): (call: ApiCall) => string {
  const counts = new Map<string, number>();
  return (call) => {
    const label = labelOf(call);
    const count = (counts.get(label) ?? 0) + 1;
    counts.set(label, count);
    return `${label} #${count}`;
  };
}

/** A call that changes something lasting: no review, no dry run, no event, no renewal of the leader's lease. */
export function isLastingWrite(call: ApiCall): boolean {
  return (
    call.method !== "GET" &&
    call.query.get("dryRun") === null &&
    !/\/(selfsubjectaccessreviews|events)(\/|$)/.test(call.path) &&
    !isLeaderLease(call)
  );
}

/** Whether a call is about a Deployment, its ledger, its lock, or the request of the same name. */
export function isAbout({ path, body }: ApiCall, namespace: string, deployment: string): boolean {
  const hash = targetHash({ group: "apps", kind: "Deployment", namespace, name: deployment });
  const segments = path.split("/");
  return (
    segments.includes(deployment) ||
    segments.some((segment) => segment.endsWith(hash)) ||
    body.includes(`"${deployment}"`) ||
    body.includes(hash)
  );
}

/** `PUT rollbackrequests/status`: verb, resource and subresource. */
export function labelOf({ method, path }: ApiCall): string {
  const [resource = "", , subresource] = path.replace(/^.*\/namespaces\/[^/]+\//, "").split("/");
  return `${method} ${resource}${subresource === undefined ? "" : `/${subresource}`}`;
}
