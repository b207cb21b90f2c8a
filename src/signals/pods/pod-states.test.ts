import { describe, expect, it } from "@jest/globals";
import { ended, iso, pod, T0 } from "../testing/pods.ts";
import { podFacts } from "./pod-facts.ts";
import { inStateSince, wasKnownOutside, type PodState } from "./pod-states.ts";

type Container = NonNullable<NonNullable<Parameters<typeof pod>[0]>["containers"]>[number];

const NOW = T0 + 600_000;
const S = 1_000;
const waitingFor = (reason: string): Container => ({ ready: false, state: { waiting: { reason } } });
const running = (since: number) => ({ state: { running: { startedAt: iso(since) } } });
const LOOP: PodState = { waiting: "CrashLoopBackOff" };
const PULL: PodState = { waiting: "ImagePullBackOff" };
const UNREADY: PodState = { failingProbe: "Readiness" };
const UNSTARTED: PodState = { failingProbe: "Startup" };
// 10 s + 3 * 10 s + 1 s of patience.
const PROBE = { initialDelaySeconds: 10 };

function since(state: PodState, container: Container, shape: Parameters<typeof pod>[0] = {}) {
  const at = inStateSince(podFacts(pod({ containers: [container], ...shape })), state, NOW);
  return at === undefined ? undefined : at - NOW;
}

describe("a pod waits", () => {
  it.each<[string, PodState, Container, number | undefined]>([
    ["healthy", LOOP, {}, undefined],
    ["back-off", LOOP, { ...waitingFor("CrashLoopBackOff"), lastState: ended("a", NOW - 20 * S) }, -20 * S],
    ["another reason", LOOP, waitingFor("ImagePullBackOff"), undefined],
    ["pull back-off", PULL, waitingFor("ImagePullBackOff"), 0],
    ["between two pulls", PULL, waitingFor("ErrImagePull"), 0],
    ["bad name is no pull", PULL, waitingFor("InvalidImageName"), undefined],
    [
      "runs for a moment between two waits",
      LOOP,
      { ...running(NOW - 3 * S), restartCount: 4, lastState: ended("a", NOW - 90 * S) },
      -90 * S,
    ],
    [
      "runs for longer than a minute",
      LOOP,
      { ...running(NOW - 61 * S), restartCount: 4, lastState: ended("a", NOW - 120 * S) },
      undefined,
    ],
    [
      "was started again at once after its first crash",
      LOOP,
      { ...running(NOW - 3 * S), restartCount: 1, lastState: ended("a", NOW - 3 * S) },
      undefined,
    ],
    [
      "has crashed after hours",
      LOOP,
      {
        ...running(NOW - 3 * S),
        restartCount: 7,
        lastState: ended("a", NOW - 3 * S, "Error", 3_600_000),
      },
      undefined,
    ],
    ["seen dead", LOOP, { restartCount: 2, state: ended("a", NOW - S) }, -S],
    ["first death", LOOP, { restartCount: 0, state: ended("a", NOW - S) }, undefined],
  ])("%s", (_, state, container, expected) => {
    expect(since(state, container)).toBe(expected);
  });

  it("does not count when it is told to go", () => {
    const metadata = { deletionTimestamp: iso(NOW + 30 * S), deletionGracePeriodSeconds: 30 };
    expect(since(LOOP, waitingFor("CrashLoopBackOff"), { metadata })).toBeUndefined();
  });
});

describe("a probe fails", () => {
  const container = { readinessProbe: PROBE };
  it("when a container is not ready for longer than its probe allows", () => {
    expect(since(UNREADY, { ready: false, ...running(NOW - 42 * S) }, { container })).toBe(-S);
    expect(since(UNREADY, { ready: false, ...running(NOW - 40 * S) }, { container })).toBeUndefined();
    expect(since(UNREADY, { ready: true, ...running(NOW - 42 * S) }, { container })).toBeUndefined();
  });

  it("since the pod turned unready, if it had been ready", () => {
    const lastTransitionTime = iso(NOW - 5 * S);
    const status = { conditions: [{ type: "ContainersReady", status: "False", lastTransitionTime }] };
    expect(since(UNREADY, { ready: false, ...running(T0) }, { container, status })).toBe(-5 * S);
  });

  it("never without a probe, while another one is asked first, or when nothing runs", () => {
    expect(since(UNREADY, { ready: false, ...running(T0) })).toBeUndefined();
    expect(since(UNREADY, { ready: false, started: false, ...running(T0) }, { container })).toBeUndefined();
    expect(since(UNREADY, waitingFor("ContainerCreating"), { container })).toBeUndefined();
  });

  it("at start, when a run was ended after just the time that the probe allows, and the next one has not started", () => {
    const probed = { startupProbe: PROBE };
    const anew = (ranMs: number, started = false) => ({
      ready: false,
      started,
      restartCount: 1,
      ...running(NOW - 5 * S),
      lastState: ended("a", NOW - 5 * S, "Error", ranMs),
    });
    expect(since(UNSTARTED, anew(40 * S), { container: probed })).toBe(-5 * S);
    expect(since(UNSTARTED, anew(70 * S), { container: probed })).toBe(-5 * S);
    // A crash of its own, before or long after the probe had its say.
    expect(since(UNSTARTED, anew(3 * S), { container: probed })).toBeUndefined();
    expect(since(UNSTARTED, anew(3_600 * S), { container: probed })).toBeUndefined();
    expect(since(UNSTARTED, anew(40 * S, true), { container: probed })).toBeUndefined();
    const late = { ready: false, started: false, ...running(NOW - 45 * S) };
    expect(since(UNSTARTED, late, { container: probed })).toBe(-4 * S);
  });
});

describe("what is known of the past", () => {
  const outside = (state: PodState, container: Container, at: number, shape = {}) =>
    wasKnownOutside(podFacts(pod({ containers: [container], ...shape })), state, at);

  it("a pod that did not exist was in no state", () => {
    expect(outside(LOOP, waitingFor("CrashLoopBackOff"), T0 - 1)).toBe(true);
  });

  it("one that runs since its creation was well, one that waits is not known to have been", () => {
    expect(outside(LOOP, running(T0), T0)).toBe(true);
    expect(outside(PULL, running(T0 + 60 * S), T0 + 30 * S)).toBe(false);
    expect(outside(PULL, running(T0 + 60 * S), T0 + 60 * S)).toBe(true);
    expect(outside(PULL, waitingFor("ImagePullBackOff"), NOW)).toBe(false);
  });

  it("one that was started again may have looped before", () => {
    const again = { restartCount: 3, ...running(T0 + 300 * S), lastState: ended("a", T0 + 299 * S) };
    expect(outside(LOOP, again, T0 + 330 * S)).toBe(false);
    expect(outside(LOOP, again, T0 + 360 * S)).toBe(true);
  });
});
