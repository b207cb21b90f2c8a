import type { Evidence, EvidenceQuestion, IllPods } from "../../decision/attribution/evidence.ts";
import type { Death } from "./deaths.ts";
import type { PodFacts } from "./pod-facts.ts";
import { inStateSince, type PodState } from "./pod-states.ts";
import type { PodView } from "./pod-watch.ts";

/** What makes a pod one of those that breach. */
export type IllnessQuestion =
  { readonly kind: "deaths"; readonly reason: string } | { readonly kind: "state"; readonly state: PodState };

/** A container that has run for so long has left its start behind, ms. */
const STARTED_MS = 60_000;

/**
 * The pods of all releases side by side, over the time since the live one began: an older pod that is well by then is
 * proof of a difference, one that is ill as well makes doubt. Pods that are gone are not there to be compared.
 */
export function podEvidence(
  question: IllnessQuestion,
  view: PodView,
  { at, onset, release }: Pick<EvidenceQuestion, "at" | "onset" | "release">,
): Evidence {
  if (view.kind === "Unknown") return { failed: `pods are not known: ${view.message}` };
  const since = release.startedAt ?? onset;
  const pods = view.pods.filter(({ goesSince }) => goesSince === undefined || goesSince >= onset);
  const isIll = (pod: PodFacts) =>
    question.kind === "deaths"
      ? view.deaths.some((death) => isOf(death, pod, question.reason) && death.at >= since)
      : inStateSince(pod, question.state, at) !== undefined;
  const fresh = pods.filter((pod) => pod.replicaSetUid === release.replicaSetUid);
  const ill: IllPods = {
    what: whatOf(question),
    isComparable: isComparable(question, fresh.filter(isIll)),
    pods: pods.map((pod) => ({ hash: hashOf(pod), isIll: isIll(pod) })),
  };
  return { ill };
}

function isOf({ podUid, reason }: Death, pod: PodFacts, asked: string): boolean {
  return podUid === pod.metadata.uid && reason === asked;
}

function whatOf(question: IllnessQuestion): string {
  if (question.kind === "deaths") return question.reason;
  const { waiting, failingProbe } = question.state;
  return waiting ?? `failing ${failingProbe ?? ""} probe`;
}

/** A readiness probe asks all pods all the time; a death is comparable if it came long after the start. */
function isComparable(question: IllnessQuestion, ill: readonly PodFacts[]): boolean {
  if (question.kind === "state") return question.state.failingProbe === "Readiness";
  return (
    ill.length > 0 &&
    ill.every(({ containers }) =>
      containers.every(
        ({ ended, lastRun }) =>
          lastRun === undefined || ended?.reason === "Completed" || (lastRun.lengthMs ?? 0) >= STARTED_MS,
      ),
    )
  );
}

/** A ReplicaSet is named after its Deployment and the hash of its template. */
function hashOf({ metadata }: PodFacts): string {
  return metadata.ownerReferences?.[0]?.name.split("-").at(-1) ?? "";
}
