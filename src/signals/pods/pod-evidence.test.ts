import { describe, expect, it } from "@jest/globals";
import type { Pod } from "../../kube/pod-types.ts";
import { ended, iso, pod, T0 } from "../testing/pods.ts";
import { mergeDeaths } from "./deaths.ts";
import { podEvidence, type IllnessQuestion } from "./pod-evidence.ts";
import { podFacts } from "./pod-facts.ts";
import type { PodView } from "./pod-watch.ts";

const S = 1_000;
const AT = T0 + 600 * S;
const RELEASE = {
  replicaSetUid: "rs-2",
  revision: 2,
  podTemplateHash: "2",
  startedAt: T0,
  productOfRollback: undefined,
};
const OOM: IllnessQuestion = { kind: "deaths", reason: "OOMKilled" };

function evidence(question: IllnessQuestion, ...pods: readonly Pod[]) {
  const facts = pods.map(podFacts);
  const view: PodView = {
    kind: "Known",
    pods: facts,
    deaths: mergeDeaths(facts.flatMap(({ deaths }) => deaths)),
  };
  return podEvidence(question, view, { at: AT, onset: AT - 60 * S, release: RELEASE }).ill;
}

const old = (name: string, shape: object = {}) =>
  pod({ name, replicaSet: "1", createdAt: T0 - 3_600 * S, ...shape });
const died = (at: number, ranMs: number) => [
  { restartCount: 1, lastState: ended("x", at, "OOMKilled", ranMs) },
];

describe("the pods side by side", () => {
  it("are those of every release, each ill if it died since the live one began", () => {
    const found = evidence(
      OOM,
      pod({ name: "a", containers: died(AT - S, 90 * S) }),
      pod({ name: "b" }),
      old("c", { containers: died(T0 + S, 3_000 * S) }),
      old("d", { containers: died(T0 - S, 3_000 * S) }),
    );
    expect(found).toEqual({
      what: "OOMKilled",
      isComparable: true,
      pods: [
        { hash: "2", isIll: true },
        { hash: "2", isIll: false },
        { hash: "1", isIll: true },
        { hash: "1", isIll: false },
      ],
    });
  });

  it("leave out those that were told to go before it broke", () => {
    const metadata = { deletionTimestamp: iso(AT - 100 * S), deletionGracePeriodSeconds: 0 };
    expect(evidence(OOM, old("gone", { metadata }))?.pods).toEqual([]);
  });

  it("cannot be compared where new pods die at their start, as old ones have that behind them", () => {
    const starting = pod({ name: "a", containers: died(AT - S, 5 * S) });
    expect(evidence(OOM, starting, old("b"))?.isComparable).toBe(false);
    const init = { name: "init", ready: true, restartCount: 0, image: "", imageID: "" };
    const status = { initContainerStatuses: [{ ...init, state: ended("i", T0, "Completed", S) }] };
    const running = pod({ name: "a", containers: died(AT - S, 90 * S), status });
    expect(evidence(OOM, running)?.isComparable).toBe(true);
  });

  it("tell of states as of now; only a readiness probe asks old pods as well", () => {
    const waiting = { ready: false, state: { waiting: { reason: "ImagePullBackOff" } } };
    const pulls: IllnessQuestion = { kind: "state", state: { waiting: "ImagePullBackOff" } };
    expect(evidence(pulls, pod({ name: "a", containers: [waiting] }), old("b"))).toEqual({
      what: "ImagePullBackOff",
      isComparable: false,
      pods: [
        { hash: "2", isIll: true },
        { hash: "1", isIll: false },
      ],
    });
    const unready: IllnessQuestion = { kind: "state", state: { failingProbe: "Readiness" } };
    expect(evidence(unready, pod())).toMatchObject({ what: "failing Readiness probe", isComparable: true });
  });

  it("that are not known are no proof of anything", () => {
    const view: PodView = { kind: "Unknown", reason: "Failing", message: "forbidden" };
    expect(podEvidence(OOM, view, { at: AT, onset: AT, release: RELEASE })).toEqual({
      failed: "pods are not known: forbidden",
    });
  });
});
