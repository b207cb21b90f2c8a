const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const TOKEN = /(\d+)(ms|h|m|s)/gy;

/** Regular expression of a duration in our kinds: only units that CEL's `duration()` reads too. */
export const DURATION_PATTERN = "^([0-9]+(h|ms|m|s))+$";

/** Milliseconds of a duration such as `1h30m` or `500ms`. Throws RangeError on anything else. */
export function parseDuration(text: string): number {
  let total = 0;
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    total += Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
    end = match.index + match[0].length;
  }
  if (text.length === 0 || end !== text.length || !Number.isSafeInteger(total)) {
    throw new RangeError(`'${text}' is not a duration such as 90s, 2m or 1h30m`);
  }
  return total;
}

/** Shortest text of a duration in milliseconds: `2m0s` is written `2m`, 0 is `0s`. Negative values are refused. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || milliseconds < 0) {
    throw new RangeError(`a duration must be zero or more milliseconds, not ${milliseconds}`);
  }
  let rest = Math.round(milliseconds);
  let text = "";
  for (const unit of ["h", "m", "s", "ms"] as const) {
    const count = Math.floor(rest / UNIT_MS[unit]);
    rest -= count * UNIT_MS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}
