import { parseDuration } from "../../crds/duration.ts";
import type { PodSignal } from "../../crds/pod-signal.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { WHOLE, type Sample, type TimedSample } from "../../decision/sample.ts";
import { watchedName, type LedgerMemory, type SignalTarget } from "../ledger-memory.ts";
import type { PastReading, SignalSource, SignalSubject } from "../source.ts";
import { kindOfUnknown } from "../unknown.ts";
import { deathsOf, recordDeaths } from "./death-record.ts";
import { countDeaths, mergeDeaths, type Death } from "./deaths.ts";
import { releaseAt, type PastRelease } from "./past-releases.ts";
import { podEvidence } from "./pod-evidence.ts";
import type { PodFacts } from "./pod-facts.ts";
import { inStateSince, wasKnownOutside, type PodState } from "./pod-states.ts";
import type { PodView } from "./pod-watch.ts";

export interface PodsSourceOptions {
  readonly spec: PodSignal;
  readonly target: SignalTarget;
  readonly pods: { view(target: string): PodView };
  readonly ledger: LedgerMemory;
  /** What could not be written is written at the next reading; meanwhile it counts all the same. */
  readonly onError: (error: unknown) => void;
}

/** The default of `window`. */
const WINDOW_MS = 900_000;

/**
 * When a template is deployed again, its ReplicaSet has pods of two releases, and the second one's start is known only as
 * the moment in which we saw it: pods that are younger than this at that moment are taken for the second one's, ms.
 */
const SEEN_LATE_MS = 60_000;

/** What a pods signal counts. */
type Question =
  | {
      readonly kind: "deaths";
      readonly reason: string;
      readonly windowMs: number;
      readonly distinctPods: number;
    }
  | { readonly kind: "state"; readonly state: PodState; readonly distinctPods: number };

type Known = Extract<PodView, { readonly kind: "Known" }>;

/** A count from the status of the pods of the live release. */
export function podsSource(options: PodsSourceOptions): SignalSource {
  const { spec, target, pods, ledger, onError } = options;
  const question = questionOf(spec);
  const written = new WeakSet<Death>();

  async function record(deaths: readonly Death[], signal: AbortSignal): Promise<void> {
    const news = deaths.filter((death) => !written.has(death));
    if (news.length === 0) return;
    try {
      await ledger.change(target, (before) => recordDeaths(before, news), signal);
      for (const death of news) written.add(death);
    } catch (error) {
      if (signal.aborted) throw error;
      onError(error);
    }
  }

  return {
    unit: "count",
    async read(at, subject, signal) {
      const view = pods.view(watchedName(target));
      // Of every reason: the past is known where no death of a container is missing. Of pods that are all gone too.
      if (question.kind === "deaths" && view.kind === "Known") await record(view.deaths, signal);
      const unknown = whyUnknown(view, subject);
      if (unknown !== undefined || view.kind === "Unknown" || subject.live === undefined) {
        return unknown ?? NOT_OBSERVED;
      }
      const value =
        question.kind === "deaths"
          ? deathCount(question, subject.live, knownDeaths(view, ledger.get(target)), at)
          : podsIn(question, ofRelease(view.pods, subject.live), at);
      return { kind: "Value", value, ...noteOf(subject) };
    },
    async readPast(start, end, stepMs, _signal, subject): Promise<PastReading> {
      const view = pods.view(watchedName(target));
      if (view.kind === "Unknown") return { kind: "Failed" };
      if (subject.live === undefined) return { kind: "Failed" };
      const history = ledger.get(target);
      const deaths = knownDeaths(view, history);
      const samples: TimedSample[] = [];
      for (let at = start; at <= end; at += stepMs) {
        const release = releaseAt(at, subject.live, history);
        const sample =
          release === undefined
            ? UNKNOWN_THEN
            : question.kind === "deaths"
              ? pastDeaths(question, release, view.pods, deaths, at)
              : pastState(question, release, view.pods, at, end + stepMs);
        samples.push({ at, sample });
      }
      return { kind: "Read", parts: new Map([[WHOLE, samples]]) };
    },
    evidence: async (asked) => podEvidence(question, pods.view(watchedName(target)), asked),
  };
}

const NOT_OBSERVED: Sample = {
  kind: "NoData",
  detail: "the Deployment controller has not taken up the newest spec yet",
};
const UNKNOWN_THEN: Sample = { kind: "NoData", detail: "not known any more" };

function questionOf({ terminated, waiting, failingProbe, window, distinctPods }: PodSignal): Question {
  if (terminated === undefined) return { kind: "state", state: { waiting, failingProbe }, distinctPods };
  const windowMs = window === undefined ? WINDOW_MS : parseDuration(window);
  return { kind: "deaths", reason: terminated, windowMs, distinctPods };
}

/** Why nothing can be said; undefined when something can. */
function whyUnknown(view: PodView, { live, desiredReplicas }: SignalSubject): Sample | undefined {
  if (view.kind === "Unknown") {
    return { kind: kindOfUnknown(view.reason), detail: `pods are not known: ${view.message}` };
  }
  if (live === undefined) return NOT_OBSERVED;
  // Older ones too: a rollback in the middle of a rollout keeps them.
  const isPresent = view.pods.some(
    ({ replicaSetUid, goesSince }) => replicaSetUid === live.replicaSetUid && goesSince === undefined,
  );
  if (isPresent) return undefined;
  return {
    kind: "NoData",
    detail:
      desiredReplicas === 0
        ? "no pod is wanted"
        : `no pod of revision ${live.revision} exists although ${desiredReplicas} are wanted: see the events of ReplicaSet ${live.name}`,
  };
}

function ofRelease(pods: readonly PodFacts[], release: PastRelease): readonly PodFacts[] {
  const since = bornSince(release) ?? 0;
  return pods.filter(
    ({ replicaSetUid, createdAt }) => replicaSetUid === release.replicaSetUid && createdAt >= since,
  );
}

function bornSince({ startedAt }: PastRelease): number | undefined {
  return startedAt === undefined ? undefined : startedAt - SEEN_LATE_MS;
}

function knownDeaths({ deaths }: Known, ledger: RollbackLedgerSpec | undefined): readonly Death[] {
  return mergeDeaths(deathsOf(ledger), deaths);
}

type DeathsQuestion = Extract<Question, { readonly kind: "deaths" }>;
type StateQuestion = Extract<Question, { readonly kind: "state" }>;

function deathCount(
  question: DeathsQuestion,
  release: PastRelease,
  deaths: readonly Death[],
  at: number,
  until?: number,
): number {
  const { replicaSetUid } = release;
  return countDeaths(deaths, { ...question, replicaSetUid, bornSince: bornSince(release) }, at, until);
}

function podsIn({ state, distinctPods }: StateQuestion, pods: readonly PodFacts[], at: number): number {
  const count = pods.filter((pod) => inStateSince(pod, state, at) !== undefined).length;
  return count < distinctPods ? 0 : count;
}

/** What would have been read at an instant in the past, as far as it is still known. */
function pastDeaths(
  question: DeathsQuestion,
  release: PastRelease,
  pods: readonly PodFacts[],
  deaths: readonly Death[],
  at: number,
): Sample {
  const unclear = ofRelease(pods, release).some(
    (pod) => at >= pod.createdAt && at - question.windowMs < knownSince(pod, deaths),
  );
  return unclear ? UNKNOWN_THEN : { kind: "Value", value: deathCount(question, release, deaths, at, at) };
}

/** Since when every death of the pod is known: a status tells of the newest two only. */
function knownSince({ metadata, containers }: PodFacts, deaths: readonly Death[]): number {
  const since = containers.flatMap(({ name, restarts, ended }) => {
    const own = deaths.filter(({ podUid, container }) => podUid === metadata.uid && container === name);
    const total = restarts + (ended === undefined ? 0 : 1);
    return total > own.length ? [own[0]?.at ?? Number.POSITIVE_INFINITY] : [];
  });
  return Math.max(0, ...since);
}

function pastState(
  { state, distinctPods }: StateQuestion,
  release: PastRelease,
  pods: readonly PodFacts[],
  at: number,
  now: number,
): Sample {
  const then = pods.filter(({ createdAt }) => createdAt <= at);
  if (!then.some(({ replicaSetUid }) => replicaSetUid === release.replicaSetUid)) return UNKNOWN_THEN;
  const own = ofRelease(then, release);
  const counted = own.filter((pod) => (inStateSince(pod, state, now) ?? Number.POSITIVE_INFINITY) <= at);
  const unclear = own.some((pod) => !counted.includes(pod) && !wasKnownOutside(pod, state, at));
  if (unclear) return UNKNOWN_THEN;
  return { kind: "Value", value: counted.length < distinctPods ? 0 : counted.length };
}

function noteOf({ live }: SignalSubject): { readonly note?: string } {
  return live?.startedAt === undefined
    ? { note: "nobody saw this release begin: all pods of its ReplicaSet count" }
    : {};
}
