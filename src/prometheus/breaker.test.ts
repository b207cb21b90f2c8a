import { describe, expect, it } from "@jest/globals";
import { Breaker } from "./breaker.ts";

function make() {
  let now = 0;
  const breaker = new Breaker({ monotonic: () => now }, { threshold: 3, openMs: 1000 });
  return { breaker, advance: (ms: number) => (now += ms) };
}

function failTimes(breaker: Breaker, times: number): void {
  for (let index = 0; index < times; index += 1) {
    breaker.tryAcquire();
    breaker.failed();
  }
}

describe("breaker", () => {
  it("opens after failures in a row only", () => {
    const { breaker } = make();
    failTimes(breaker, 2);
    breaker.succeeded();
    failTimes(breaker, 2);
    expect(breaker.tryAcquire()).toBe(true);
    breaker.failed();
    expect(breaker.tryAcquire()).toBe(false);
  });

  it("lets one probe through after a while, which decides", () => {
    const { breaker, advance } = make();
    failTimes(breaker, 3);
    advance(999);
    expect(breaker.tryAcquire()).toBe(false);
    advance(1);
    expect([breaker.tryAcquire(), breaker.tryAcquire()]).toEqual([true, false]);
    breaker.failed();
    expect(breaker.tryAcquire()).toBe(false);
    advance(1000);
    expect(breaker.tryAcquire()).toBe(true);
    breaker.succeeded();
    expect([breaker.tryAcquire(), breaker.tryAcquire()]).toEqual([true, true]);
  });

  it("does not stay half open when the probe is given up", () => {
    const { breaker, advance } = make();
    failTimes(breaker, 3);
    advance(1000);
    expect(breaker.tryAcquire()).toBe(true);
    breaker.abandoned();
    expect(breaker.tryAcquire()).toBe(true);
  });
});
