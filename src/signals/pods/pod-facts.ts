import type { KubeObject } from "../../kube/objects.ts";
import type { Container, ContainerState, ContainerStatus, Pod } from "../../kube/pod-types.ts";
import type { Death } from "./deaths.ts";

/** A pod as far as signals read it. Times in ms since the epoch. */
export interface PodFacts extends KubeObject {
  /** Of the ReplicaSet that controls it. */
  readonly replicaSetUid: string;
  readonly createdAt: number;
  /** When it was told to go (deleted, evicted, its node shut down): what its containers do from then on is no finding. */
  readonly goesSince: number | undefined;
  /** Since when all its containers are ready, or not. */
  readonly readySince: number | undefined;
  readonly containers: readonly ContainerFacts[];
  readonly deaths: readonly Death[];
}

/** Init containers too. */
export interface ContainerFacts {
  readonly name: string;
  readonly restarts: number;
  readonly waiting: string | undefined;
  readonly runningSince: number | undefined;
  readonly ready: boolean;
  readonly started: boolean;
  /** It does not run, and nobody waits for it to. */
  readonly ended: { readonly reason: string | undefined } | undefined;
  /** Its newest run that is over. */
  readonly lastRun: { readonly endedAt: number; readonly lengthMs: number | undefined } | undefined;
  /** Undefined without that probe. */
  readonly readiness: ProbePatience | undefined;
  readonly startup: ProbePatience | undefined;
  /** How long the kubelet lets it end by itself. */
  readonly graceMs: number;
}

/** How long after the start of a container a probe that never succeeds lets the kubelet act, ms. */
export interface ProbePatience {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** A node's clock may be behind the API server's by so much: what ends then may have been told to, ms. */
const CLOCK_SKEW_MS = 2_000;

/** Runs of one container are told apart by so much of the runtime's id. */
const SHORT_ID = 12;
const DEFAULT_GRACE_S = 30;

/** The name of a ReplicaSet is its Deployment's with the template's hash. Undefined for pods of other owners. */
export function deploymentOf({ metadata }: Pick<Pod, "metadata">): string | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner?.kind === "ReplicaSet" ? deploymentOfReplicaSet(owner.name) : undefined;
}

export function deploymentOfReplicaSet(name: string): string | undefined {
  const end = name.lastIndexOf("-");
  return end <= 0 ? undefined : name.slice(0, end);
}

/** For the cache: of the kilobytes of a pod the hundred bytes that are read. */
export function podFacts(pod: Pod): PodFacts {
  const { apiVersion, kind, metadata, spec, status = {} } = pod;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  const createdAt = Date.parse(metadata.creationTimestamp);
  const goesSince = toldToGo(pod);
  const condition = status.conditions?.find(({ type }) => type === "ContainersReady");
  const identity = { replicaSetUid: owner?.uid ?? "", podUid: metadata.uid, podCreatedAt: createdAt };
  const specs = new Map(
    [...(spec.initContainers ?? []), ...spec.containers].map((each) => [each.name, each]),
  );
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp,
      ownerReferences: owner === undefined ? [] : [owner],
    },
    replicaSetUid: identity.replicaSetUid,
    createdAt,
    goesSince,
    readySince: parseTime(condition?.lastTransitionTime),
    containers: statuses.map((each) => containerFacts(each, specs.get(each.name), spec)),
    deaths: statuses
      .flatMap((each) => deathsOf(each, identity))
      .filter(({ at }) => goesSince === undefined || at < goesSince - CLOCK_SKEW_MS),
  };
}

/**
 * Deleting a pod ends its containers, by force if need be; so does a node that evicts it or shuts down. A Failed pod of a
 * ReplicaSet was ended by its node, as its containers are always started again.
 */
function toldToGo({ metadata, status = {} }: Pod): number | undefined {
  const times: number[] = [];
  if (metadata.deletionTimestamp !== undefined) {
    const graceMs = (metadata.deletionGracePeriodSeconds ?? 0) * 1_000;
    times.push(Date.parse(metadata.deletionTimestamp) - graceMs);
  }
  const disruption = status.conditions?.find((each) => each.type === "DisruptionTarget");
  if (disruption?.status === "True") times.push(parseTime(disruption.lastTransitionTime) ?? 0);
  else if (status.phase === "Failed") times.push(0);
  return times.length === 0 ? undefined : Math.min(...times);
}

function containerFacts(
  { name, restartCount, ready, started, state, lastState }: ContainerStatus,
  container: Container | undefined,
  { terminationGracePeriodSeconds }: Pod["spec"],
): ContainerFacts {
  const last = state?.terminated ?? lastState?.terminated;
  const endedAt = parseTime(last?.finishedAt);
  const startedAt = parseTime(last?.startedAt);
  const grace =
    typeof terminationGracePeriodSeconds === "number" ? terminationGracePeriodSeconds : DEFAULT_GRACE_S;
  return {
    name,
    restarts: restartCount,
    waiting: state?.waiting?.reason,
    runningSince: parseTime(state?.running?.startedAt),
    ready,
    started: started ?? true,
    ended: state?.terminated === undefined ? undefined : { reason: state.terminated.reason },
    lastRun:
      endedAt === undefined
        ? undefined
        : { endedAt, lengthMs: startedAt === undefined ? undefined : endedAt - startedAt },
    readiness: patienceOf(container?.readinessProbe),
    startup: patienceOf(container?.startupProbe),
    graceMs: grace * 1_000,
  };
}

interface Probe {
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

/** The kubelet's defaults. The first try comes after the delay; the last one may take as long as its timeout. */
function patienceOf(probe: unknown): ProbePatience | undefined {
  if (typeof probe !== "object" || probe === null) return undefined;
  const {
    initialDelaySeconds = 0,
    periodSeconds = 10,
    timeoutSeconds = 1,
    failureThreshold = 3,
  } = probe as Probe;
  return {
    shortestMs: (initialDelaySeconds + periodSeconds * (failureThreshold - 1)) * 1_000,
    longestMs: (initialDelaySeconds + periodSeconds * failureThreshold + timeoutSeconds) * 1_000,
  };
}

type Identity = Pick<Death, "replicaSetUid" | "podUid" | "podCreatedAt">;

function deathsOf({ name, state, lastState }: ContainerStatus, identity: Identity): readonly Death[] {
  return [lastState, state].flatMap((each) => deathOf(name, each, identity) ?? []);
}

/** A death without a time cannot be counted in any window: that is how a lost node's containers look. */
function deathOf(
  container: string,
  state: ContainerState | undefined,
  identity: Identity,
): Death | undefined {
  const { terminated } = state ?? {};
  const at = parseTime(terminated?.finishedAt);
  if (terminated === undefined || at === undefined) return undefined;
  const id = terminated.containerID?.split("://").at(-1)?.slice(0, SHORT_ID);
  return {
    ...identity,
    container,
    id: id === undefined || id === "" ? `@${terminated.finishedAt}` : id,
    reason: terminated.reason ?? (terminated.exitCode === 0 ? "Completed" : "Error"),
    at,
  };
}

function parseTime(text: string | undefined | null): number | undefined {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) || at <= 0 ? undefined : at;
}
