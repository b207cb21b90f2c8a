import { existsSync, readFileSync } from "node:fs";

/** What the traffic generator saw in one second. */
export interface TrafficSecond {
  /** End of the second, ms since the epoch. */
  readonly at: number;
  readonly ok: number;
  /** Answered with 5xx. */
  readonly failed: number;
  /** Not answered at all. */
  readonly lost: number;
  /** Answers by the version that gave them, by the Service that the gateway chose, and by the currency of their price. */
  readonly versions: Readonly<Record<string, number>>;
  readonly backends: Readonly<Record<string, number>>;
  readonly currencies: Readonly<Record<string, number>>;
  /** When each failed or lost request came back, ms since the epoch. */
  readonly badAt: readonly number[];
}

export interface TrafficSum {
  readonly ok: number;
  readonly failed: number;
  readonly lost: number;
}

/** The whole log; empty while there is none. */
export function readTraffic(path: string): readonly TrafficSecond[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  // A last line without its end is still being written.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TrafficSecond);
}

/** Sum of the seconds that ended in the given span, ms since the epoch. */
export function sumTraffic(seconds: readonly TrafficSecond[], from: number, until = Infinity): TrafficSum {
  const within = seconds.filter(({ at }) => at > from && at <= until);
  const sum = (count: (second: TrafficSecond) => number): number =>
    within.reduce((total, second) => total + count(second), 0);
  return {
    ok: sum(({ ok }) => ok),
    failed: sum(({ failed }) => failed),
    lost: sum(({ lost }) => lost),
  };
}

/** When requests failed or were lost in the given span, ms since the epoch. */
export function badTimes(
  seconds: readonly TrafficSecond[],
  from: number,
  until = Infinity,
): readonly number[] {
  return seconds.flatMap(({ badAt }) => badAt).filter((at) => at > from && at <= until);
}
