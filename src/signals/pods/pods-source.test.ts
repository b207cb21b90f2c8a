import { describe, expect, it } from "@jest/globals";
import { PodSignal } from "../../crds/pod-signal.ts";
import { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { WHOLE, type Sample } from "../../decision/sample.ts";
import type { Pod } from "../../kube/pod-types.ts";
import { ended, iso, pod, T0 } from "../testing/pods.ts";
import type { SignalSubject } from "../source.ts";
import { mergeDeaths } from "./deaths.ts";
import { podFacts } from "./pod-facts.ts";
import type { PodView } from "./pod-watch.ts";
import { podsSource } from "./pods-source.ts";

const TARGET = { group: "apps", kind: "Deployment", namespace: "shop", name: "web" };
const S = 1_000;
const NOW = T0 + 300 * S;
const LIVE = { replicaSetUid: "rs-2", name: "web-2", revision: 2, startedAt: T0 };
const SUBJECT: SignalSubject = {
  namespace: "shop",
  desiredReplicas: 2,
  live: LIVE,
  rollbackTarget: undefined,
};
const { signal } = new AbortController();

/** A source over pods that can change, with a ledger that a restart leaves. */
function open(
  spec: object,
  view: () => PodView,
  ledger = { spec: RollbackLedgerSpec.parse({ target: TARGET }) },
) {
  const log = { writes: 0, errors: [] as unknown[], fails: false };
  const source = podsSource({
    spec: PodSignal.parse(spec),
    target: TARGET,
    pods: { view },
    ledger: {
      get: () => ledger.spec,
      async change(_, change) {
        if (log.fails) throw new Error("the API server is away");
        const after = change(ledger.spec);
        if (after !== ledger.spec) log.writes += 1;
        ledger.spec = after;
      },
    },
    onError: (error) => log.errors.push(error),
  });
  const read = async (at = NOW, subject = SUBJECT) => source.read(at, subject, signal);
  return { source, read, log, ledger };
}

function seen(...pods: readonly Pod[]) {
  const facts = pods.map(podFacts);
  const deaths = mergeDeaths(facts.flatMap((each) => each.deaths));
  return { kind: "Known", pods: facts, deaths } satisfies PodView;
}

const dead = (name: string, at: number, shape: object = {}) =>
  pod({ name, containers: [{ restartCount: 1, lastState: ended(name, at) }], ...shape });

describe("deaths", () => {
  it("of the live release's pods, counted, and written once", async () => {
    const { read, log, ledger } = open({ terminated: "OOMKilled" }, () =>
      seen(dead("a", NOW - S), dead("b", NOW - 2 * S), dead("c", NOW, { replicaSet: "1" })),
    );
    expect(await read()).toEqual({ kind: "Value", value: 2 });
    expect(await read()).toEqual({ kind: "Value", value: 2 });
    expect(log.writes).toBe(1);
    // That of the old release too: the past is told by it.
    expect(ledger.spec.deaths).toHaveLength(3);
  });

  it("go on counting when the pod is gone and the operator begins anew", async () => {
    const first = open({ terminated: "OOMKilled" }, () => seen(dead("a", NOW - S), pod({ name: "b" })));
    await first.read();
    const second = open({ terminated: "OOMKilled" }, () => seen(pod({ name: "b" })), first.ledger);
    expect(await second.read()).toEqual({ kind: "Value", value: 1 });
    expect(second.log.writes).toBe(0);
    expect(await second.read(NOW + 900 * S)).toEqual({ kind: "Value", value: 0 });
  });

  it("are written although no pod is left to give a verdict", async () => {
    const gone = { ...seen(dead("a", NOW - S)), pods: [] };
    const { read, ledger } = open({ terminated: "OOMKilled" }, () => gone);
    expect(await read()).toMatchObject({ kind: "NoData" });
    expect(ledger.spec.deaths).toHaveLength(1);
  });

  it("count although they could not be written, which is tried again", async () => {
    const { read, log } = open({ terminated: "OOMKilled" }, () => seen(dead("a", NOW - S)));
    log.fails = true;
    expect(await read()).toEqual({ kind: "Value", value: 1 });
    expect(log.errors).toHaveLength(1);
    log.fails = false;
    expect(await read()).toEqual({ kind: "Value", value: 1 });
    expect(log.writes).toBe(1);
  });

  it("of pods that are older than the release do not count; nobody knows which are when it has no start", async () => {
    const kept = dead("a", NOW - S, { createdAt: T0 - 3_600 * S });
    const { read } = open({ terminated: "OOMKilled" }, () => seen(kept));
    expect(await read()).toEqual({ kind: "Value", value: 0 });
    const unseen = { ...SUBJECT, live: { ...LIVE, startedAt: undefined } };
    expect(await read(NOW, unseen)).toEqual({
      kind: "Value",
      value: 1,
      note: expect.stringContaining("nobody saw this release begin"),
    });
  });
});

describe("no verdict", () => {
  it.each<[string, PodView, SignalSubject, Sample["kind"], RegExp]>([
    [
      "no pod of the release although some are wanted",
      seen(pod({ replicaSet: "1" })),
      SUBJECT,
      "NoData",
      /no pod of revision 2 exists although 2 are wanted: see the events of ReplicaSet web-2/,
    ],
    ["none is wanted", seen(), { ...SUBJECT, desiredReplicas: 0 }, "NoData", /no pod is wanted/],
    [
      "only pods that go",
      seen(pod({ metadata: { deletionTimestamp: iso(NOW) } })),
      SUBJECT,
      "NoData",
      /although 2 are wanted/,
    ],
    ["no release yet", seen(pod()), { ...SUBJECT, live: undefined }, "NoData", /has not taken up/],
    [
      "not listed yet",
      { kind: "Unknown", reason: "NotListed", message: "the first list has not arrived yet" },
      SUBJECT,
      "NoData",
      /has not arrived yet/,
    ],
    [
      "may not be listed",
      { kind: "Unknown", reason: "Failing", message: "pods is forbidden" },
      SUBJECT,
      "Error",
      /pods are not known: pods is forbidden/,
    ],
    ["old news", { kind: "Unknown", reason: "Stale", message: "timeout" }, SUBJECT, "Stale", /timeout/],
  ])("%s", async (_, view, subject, kind, detail) => {
    for (const spec of [{ terminated: "OOMKilled" }, { waiting: "CrashLoopBackOff" }]) {
      const sample = await open(spec, () => view).read(NOW, subject);
      expect(sample).toEqual({ kind, detail: expect.stringMatching(detail) });
    }
  });
});

const PULLING = { ready: false, state: { waiting: { reason: "ImagePullBackOff" } } };

describe("states", () => {
  const pods = () =>
    seen(pod({ name: "a", containers: [PULLING] }), pod({ name: "b", containers: [PULLING] }), pod());

  it("count pods, from so many on", async () => {
    expect(await open({ waiting: "ImagePullBackOff" }, pods).read()).toEqual({ kind: "Value", value: 2 });
    const three = { waiting: "ImagePullBackOff", distinctPods: 3 };
    expect(await open(three, pods).read()).toEqual({ kind: "Value", value: 0 });
  });
});

describe("the past", () => {
  async function past(spec: object, view: PodView, subject = SUBJECT, ledger = {}) {
    const known = { spec: RollbackLedgerSpec.parse({ target: TARGET, ...ledger }) };
    const { source } = open(spec, () => view, known);
    const read = await source.readPast(T0 - 120 * S, NOW - 60 * S, 60 * S, signal, subject);
    if (read.kind !== "Read") return read.kind;
    return (read.parts.get(WHOLE) ?? []).map(({ sample }) =>
      sample.kind === "Value" ? sample.value : sample.kind,
    );
  }
  const before = {
    releases: [
      {
        targetUid: "t",
        replicaSetUid: "rs-1",
        podTemplateHash: "1",
        revision: 1,
        startedAt: iso(T0 - 7_200 * S),
      },
    ],
  };

  it("of deaths is told by when they were, release by release", async () => {
    const old = dead("o", T0 - 90 * S, { replicaSet: "1", createdAt: T0 - 7_200 * S });
    const view = seen(old, dead("a", T0 + 30 * S), dead("b", T0 + 150 * S));
    // The old one's death belongs to the old release only; what was before the ledger is not known.
    expect(await past({ terminated: "OOMKilled" }, view, SUBJECT, before)).toEqual([0, 1, 0, 1, 1, 2, 2]);
    expect((await past({ terminated: "OOMKilled" }, view))?.slice(0, 3)).toEqual(["NoData", "NoData", 0]);
  });

  it("of deaths is not known where a container has died more often than its status tells", async () => {
    const looping = pod({ containers: [{ restartCount: 9, lastState: ended("z", T0 + 100 * S) }] });
    const spec = { terminated: "OOMKilled", window: "1m" };
    expect(await past(spec, seen(looping), SUBJECT, before)).toEqual([
      0,
      0,
      "NoData",
      "NoData",
      "NoData",
      0,
      0,
    ]);
  });

  it("of states is told as far as the status of today's pods allows", async () => {
    const old = pod({ name: "o", replicaSet: "1", createdAt: T0 - 7_200 * S });
    const loop = {
      ready: false,
      restartCount: 1,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: ended("a", T0 + 100 * S),
    };
    const view = seen(old, pod({ containers: [loop] }));
    expect(await past({ waiting: "CrashLoopBackOff" }, view, SUBJECT, before)).toEqual([
      0,
      0,
      "NoData",
      "NoData",
      1,
      1,
      1,
    ]);
    // Recreate leaves no pods of the old release to tell.
    const alone = seen(pod({ containers: [loop] }));
    expect((await past({ waiting: "CrashLoopBackOff" }, alone, SUBJECT, before))?.slice(0, 2)).toEqual([
      "NoData",
      "NoData",
    ]);
  });

  it("is asked for again while the pods are not listed", async () => {
    const view: PodView = { kind: "Unknown", reason: "Failing", message: "" };
    expect(await past({ waiting: "CrashLoopBackOff" }, view)).toBe("Failed");
  });
});
