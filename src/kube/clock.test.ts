import { describe, expect, it } from "@jest/globals";
import { abortable, linkAbort } from "./abort.ts";
import { microTime, secondTime, systemClock } from "./clock.ts";
import { createFakeClock } from "./testing/fake-clock.ts";

const never = new AbortController().signal;

describe("clock", () => {
  it("sleeps, and stops sleeping when aborted", async () => {
    const clock = systemClock();
    const before = clock.monotonic();
    await clock.sleep(5, never);
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(4);
    const abort = new AbortController();
    const sleep = clock.sleep(1e9, abort.signal);
    abort.abort(new Error("stop"));
    await expect(sleep).rejects.toThrow("stop");
    await expect(clock.sleep(1, abort.signal)).rejects.toThrow("stop");
  });

  it("does not fire at once for lengths that setTimeout cannot hold", async () => {
    let fired = false;
    const timer = systemClock().setTimer(2 ** 40, () => (fired = true));
    await systemClock().sleep(10, never);
    timer.cancel();
    expect(fired).toBe(false);
  });

  it("writes the two forms of time that Kubernetes has", () => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5, 67);
    expect([microTime(at), secondTime(at)]).toEqual(["2026-01-02T03:04:05.067000Z", "2026-01-02T03:04:05Z"]);
  });

  it("moves by hand in order, timers set on the way included", async () => {
    const clock = createFakeClock();
    const seen: number[] = [];
    clock.setTimer(30, () => seen.push(clock.monotonic()));
    clock.setTimer(10, () => void clock.sleep(5, never).then(() => seen.push(clock.monotonic())));
    clock.setTimer(20, () => seen.push(-1)).cancel();
    await clock.advance(40);
    expect([seen, clock.monotonic(), clock.pending]).toEqual([[15, 30], 40, 0]);
  });
});

describe("abort", () => {
  it("goes from parent to child, not back, and not after unlinking", () => {
    const parent = new AbortController();
    const [first, second] = [linkAbort(parent.signal), linkAbort(parent.signal)];
    first.abort(new Error("mine"));
    expect([parent.signal.aborted, second.signal.aborted]).toEqual([false, false]);
    second.unlink();
    parent.abort(new Error("parent"));
    expect(second.signal.aborted).toBe(false);
    expect(linkAbort(parent.signal).signal.reason).toBe(parent.signal.reason);
  });

  it("ends the wait for a promise, not the promise", async () => {
    const abort = new AbortController();
    const wait = abortable(new Promise(() => {}), abort.signal);
    abort.abort(new Error("stop"));
    await expect(wait).rejects.toThrow("stop");
    expect(await abortable(Promise.resolve(1), never)).toBe(1);
    await expect(abortable(Promise.reject(new Error("own")), never)).rejects.toThrow("own");
  });
});
