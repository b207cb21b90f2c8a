import { z } from "zod";

/** One series at one instant. `at` in ms since the epoch; the value may be NaN or infinite. */
export interface Element {
  readonly labels: Readonly<Record<string, string>>;
  readonly at: number;
  readonly value: number;
}

/** One series over a range, oldest point first. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

export type PrometheusErrorKind =
  | "Unreachable"
  | "Timeout"
  | "HttpError"
  | "BadData"
  | "TooLarge"
  | "Partial"
  | "Garbage"
  | "ClockSkew"
  | "CircuitOpen";

/** Whether it lies with the question, so that asking about fewer targets may help; otherwise with the server. */
export function liesWithQuestion({ kind }: PrometheusError): boolean {
  switch (kind) {
    case "BadData":
    case "TooLarge":
    // A server warns of its own trouble and of what it finds in the series of one target.
    case "Partial":
      return true;
    case "Unreachable":
    case "Timeout":
    case "HttpError":
    case "Garbage":
    case "ClockSkew":
    case "CircuitOpen":
      return false;
  }
}

export interface PrometheusError {
  readonly kind: PrometheusErrorKind;
  /** Short, for people; names the server by its configured name, never an address or credentials. */
  readonly message: string;
  /** The server read the query and says that it is none: asking again gives the same. */
  readonly isInvalidQuery?: true;
}

export type Answer<T> =
  { readonly kind: "Ok"; readonly value: T } | { readonly kind: "Failed"; readonly error: PrometheusError };

const Envelope = z.object({
  status: z.literal("success"),
  data: z.object({ resultType: z.string(), result: z.unknown() }),
  warnings: z.array(z.string()).default([]),
  /** How VictoriaMetrics warns that a part of its storage did not answer. */
  isPartial: z.boolean().default(false),
});

function warningsOf({ warnings, isPartial }: z.output<typeof Envelope>): readonly string[] {
  return isPartial ? [...warnings, "isPartial"] : warnings;
}

const Failure = z.object({ status: z.literal("error"), errorType: z.string(), error: z.string() });

export type Failure = z.output<typeof Failure>;

/** An answer as the API gives it. `warnings` say that it may not be the whole truth. */
export interface Read<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

type Labels = Readonly<Record<string, string>>;
type Point = { readonly at: number; readonly value: number };

/** What an instant query gives, or undefined when the body is not an answer of the API. A scalar is one element. */
export function readVector(body: unknown, atMs: number): Read<readonly Element[]> | undefined {
  const envelope = Envelope.safeParse(body);
  if (!envelope.success) return undefined;
  const { data } = envelope.data;
  const warnings = warningsOf(envelope.data);
  if (data.resultType === "scalar") {
    const point = readPoint(data.result);
    return point === undefined ? undefined : { value: [{ labels: {}, ...point }], warnings };
  }
  if (data.resultType !== "vector") return undefined;
  const value = readItems(data.result, (item) => {
    const labels = readLabels(item["metric"]);
    // A native histogram stands under `histogram` instead of `value`: it is no number.
    const point = item["value"] === undefined ? { at: atMs, value: Number.NaN } : readPoint(item["value"]);
    return labels === undefined || point === undefined ? undefined : { labels, ...point };
  });
  return value === undefined ? undefined : { value, warnings };
}

/** What a range query gives, or undefined when the body is not an answer of the API. */
export function readMatrix(body: unknown): Read<readonly Series[]> | undefined {
  const envelope = Envelope.safeParse(body);
  if (!envelope.success || envelope.data.data.resultType !== "matrix") return undefined;
  const value = readItems(envelope.data.data.result, (item) => {
    const labels = readLabels(item["metric"]);
    const points = item["values"] === undefined ? [] : readPoints(item["values"]);
    return labels === undefined || points === undefined ? undefined : { labels, points };
  });
  return value === undefined ? undefined : { value, warnings: warningsOf(envelope.data) };
}

// By hand from here on: one answer holds what hundreds of policies asked for.

function readItems<T>(
  list: unknown,
  read: (item: Readonly<Record<string, unknown>>) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const items: T[] = [];
  for (const each of list as readonly unknown[]) {
    const item = isRecord(each) ? read(each) : undefined;
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function readLabels(metric: unknown): Labels | undefined {
  return isRecord(metric) && isLabels(metric) ? metric : undefined;
}

function isLabels(metric: Readonly<Record<string, unknown>>): metric is Labels {
  for (const label in metric) {
    if (typeof metric[label] !== "string") return false;
  }
  return true;
}

function readPoints(list: unknown): readonly Point[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const points: Point[] = [];
  for (const each of list as readonly unknown[]) {
    const point = readPoint(each);
    if (point === undefined) return undefined;
    points.push(point);
  }
  return points;
}

/** Prometheus writes seconds and the number as text, with `NaN`, `+Inf`, `-Inf`. */
function readPoint(pair: unknown): Point | undefined {
  if (!Array.isArray(pair) || pair.length !== 2) return undefined;
  const [seconds, text] = pair as readonly unknown[];
  return typeof seconds === "number" && typeof text === "string"
    ? { at: Math.round(seconds * 1000), value: numberOf(text) }
    : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error that the server itself reported, or undefined. */
export function readFailure(body: unknown): Failure | undefined {
  const failure = Failure.safeParse(body);
  return failure.success ? failure.data : undefined;
}

/** Anything that is not a number in Prometheus' writing reads as NaN. */
export function numberOf(text: string): number {
  if (/^[+-]?inf$/i.test(text)) {
    return text.startsWith("-") ? -Infinity : Infinity;
  }
  return text.trim() === "" ? Number.NaN : Number(text);
}
