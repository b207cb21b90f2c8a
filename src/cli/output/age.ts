const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

interface Range {
  /** Exclusive upper end, ms. */
  readonly below: number;
  readonly unit: number;
  readonly name: string;
  /** The next smaller unit, shown when it is not zero. */
  readonly rest?: { readonly unit: number; readonly name: string };
}

/** Source: HumanDuration in k8s.io/apimachinery `pkg/util/duration`, what the AGE column of kubectl shows. */
const RANGES: readonly Range[] = [
  { below: 2 * MINUTE, unit: SECOND, name: "s" },
  { below: 10 * MINUTE, unit: MINUTE, name: "m", rest: { unit: SECOND, name: "s" } },
  { below: 3 * HOUR, unit: MINUTE, name: "m" },
  { below: 8 * HOUR, unit: HOUR, name: "h", rest: { unit: MINUTE, name: "m" } },
  { below: 2 * DAY, unit: HOUR, name: "h" },
  { below: 8 * DAY, unit: DAY, name: "d", rest: { unit: HOUR, name: "h" } },
  { below: 2 * YEAR, unit: DAY, name: "d" },
  { below: 8 * YEAR, unit: YEAR, name: "y", rest: { unit: DAY, name: "d" } },
  { below: Infinity, unit: YEAR, name: "y" },
];

/** The age of something made at `since` (RFC 3339) as kubectl writes it; `<unknown>` without a time. */
export function ageOf(since: string | undefined, now: number): string {
  const at = Date.parse(since ?? "");
  if (Number.isNaN(at)) return "<unknown>";
  // A clock that is behind the server's makes new objects come from the future.
  const age = Math.max(0, now - at);
  const range = RANGES.find(({ below }) => age < below);
  if (range === undefined) return "<unknown>";
  const whole = `${Math.floor(age / range.unit)}${range.name}`;
  const rest = range.rest === undefined ? 0 : Math.floor((age % range.unit) / range.rest.unit);
  return rest === 0 ? whole : `${whole}${rest}${range.rest?.name}`;
}

/** A length of time between two moments, such as `0.07s` or `129s`; undefined when one is missing. */
export function secondsBetween(from: string | undefined, to: string | undefined): string | undefined {
  const ms = Date.parse(to ?? "") - Date.parse(from ?? "");
  if (Number.isNaN(ms)) return undefined;
  return ms < SECOND ? `${(Math.max(0, ms) / SECOND).toFixed(2)}s` : `${Math.round(ms / SECOND)}s`;
}

/** `10:02`, in the zone of this machine; with the date in front when that is not today. */
export function clockTime(at: string, now: number, withSeconds = false): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const two = (part: number) => String(part).padStart(2, "0");
  const seconds = withSeconds ? `:${two(date.getSeconds())}` : "";
  const time = `${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}
