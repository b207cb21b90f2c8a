import { sleepWith, systemClock, type Clock } from "../../src/kube/clock.ts";

/** The machine's clock, running so many times as fast: a day in minutes. It begins at the time that it is now. */
export function fastClock(speed: number): Clock {
  const machine = systemClock();
  const began = { wall: machine.now(), monotonic: machine.monotonic() };
  const setTimer: Clock["setTimer"] = (ms, callback) => machine.setTimer(ms / speed, callback);
  const elapsed = () => (machine.monotonic() - began.monotonic) * speed;
  return {
    now: () => began.wall + Math.floor(elapsed()),
    monotonic: elapsed,
    setTimer,
    sleep: (ms, signal) => sleepWith(setTimer, ms, signal),
  };
}
