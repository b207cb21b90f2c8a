import { InvalidArgumentError } from "commander";
import { parseDuration } from "../../crds/duration.ts";
import { CliError } from "../errors.ts";

/** What the command line of `backtest` gives. Lengths and instants in ms. */
export interface BacktestOptions {
  readonly prometheus: string;
  readonly start?: number;
  readonly end?: number;
  readonly since?: number;
  readonly releases?: string;
  readonly releasesFromCluster?: true;
  readonly scrapeInterval: number;
  readonly namespaceLabel: string;
  readonly timeout: number;
  readonly bearerTokenFile?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly output?: "json" | "text";
}

/** Milliseconds of `14d`, `36h` or `1d12h`. */
export function parseSince(text: string): number {
  const [, days, rest = ""] = /^(?:(\d{1,4})d)?(.*)$/.exec(text) ?? [];
  try {
    const whole = Number(days ?? 0) * 86_400_000 + (rest === "" ? 0 : parseDuration(rest));
    if (whole > 0) return whole;
  } catch {
    // Told below.
  }
  throw new InvalidArgumentError("must be a length of time such as 14d, 36h or 90m");
}

export function parseTime(text: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const at = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) {
    throw new InvalidArgumentError("must be a time with its zone, such as 2026-11-03T09:00:00Z");
  }
  return at;
}

export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError("must be the address of a Prometheus, such as http://localhost:9090");
  }
  return text;
}

/** `X-Scope-OrgID: team`; may be given several times. */
export function parseHeader(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('must be "NAME: VALUE", such as "X-Scope-OrgID: shop"');
  }
  return { ...before, [name]: value };
}

/** From when to when; both included, ms since the epoch. Throws CliError. */
export function rangeOf(
  { start, end, since }: Pick<BacktestOptions, "start" | "end" | "since">,
  now: number,
): { readonly start: number; readonly end: number } {
  if ((start === undefined) === (since === undefined)) {
    throw new CliError("say from when: either --since 14d, or --start TIME (and --end TIME)");
  }
  const until = end ?? now;
  const from = start ?? until - (since ?? 0);
  if (from >= until) throw new CliError("the range is empty: --start must be before --end");
  return { start: from, end: until };
}
