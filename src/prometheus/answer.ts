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
  "Unreachable" | "Timeout" | "HttpError" | "BadData" | "Garbage" | "CircuitOpen";

export interface PrometheusError {
  readonly kind: PrometheusErrorKind;
  /** Short, for people; names the server by its configured name, never an address or credentials. */
  readonly message: string;
  /** The server read the query and says that it is none: asking again gives the same. */
  readonly isInvalidQuery?: true;
}

export type Answer<T> =
  | { readonly kind: "Ok"; readonly value: T; readonly warnings: readonly string[] }
  | { readonly kind: "Failed"; readonly error: PrometheusError };

const Labels = z.record(z.string(), z.string());
const PointTuple = z.tuple([z.number(), z.string()]);
/** A native histogram stands under `histogram(s)` instead of `value(s)`: it is no number, so it reads as NaN. */
const VectorItem = z.object({ metric: Labels, value: PointTuple.optional() });
const MatrixItem = z.object({ metric: Labels, values: z.array(PointTuple).default([]) });

const Envelope = z.object({
  status: z.literal("success"),
  data: z.object({ resultType: z.string(), result: z.unknown() }),
  warnings: z.array(z.string()).default([]),
});

const Failure = z.object({ status: z.literal("error"), errorType: z.string(), error: z.string() });

export type Failure = z.output<typeof Failure>;

/** What an instant query gives, or undefined when the body is not an answer of the API. A scalar is one element. */
export function readVector(body: unknown, atMs: number): Answer<readonly Element[]> | undefined {
  const envelope = Envelope.safeParse(body);
  if (!envelope.success) {
    return undefined;
  }
  const { data, warnings } = envelope.data;
  if (data.resultType === "scalar") {
    const point = PointTuple.safeParse(data.result);
    return point.success
      ? { kind: "Ok", value: [{ labels: {}, ...pointOf(point.data) }], warnings }
      : undefined;
  }
  const items = z.array(VectorItem).safeParse(data.result);
  if (data.resultType !== "vector" || !items.success) {
    return undefined;
  }
  const value = items.data.map(({ metric, value }) => ({
    labels: metric,
    ...(value === undefined ? { at: atMs, value: Number.NaN } : pointOf(value)),
  }));
  return { kind: "Ok", value, warnings };
}

/** What a range query gives, or undefined when the body is not an answer of the API. */
export function readMatrix(body: unknown): Answer<readonly Series[]> | undefined {
  const envelope = Envelope.safeParse(body);
  if (!envelope.success || envelope.data.data.resultType !== "matrix") {
    return undefined;
  }
  const items = z.array(MatrixItem).safeParse(envelope.data.data.result);
  if (!items.success) {
    return undefined;
  }
  const value = items.data.map(({ metric, values }) => ({ labels: metric, points: values.map(pointOf) }));
  return { kind: "Ok", value, warnings: envelope.data.warnings };
}

/** The error that the server itself reported, or undefined. */
export function readFailure(body: unknown): Failure | undefined {
  const failure = Failure.safeParse(body);
  return failure.success ? failure.data : undefined;
}

/** Prometheus writes seconds and the number as text, with `NaN`, `+Inf`, `-Inf`. */
function pointOf([seconds, text]: readonly [number, string]): { at: number; value: number } {
  return { at: Math.round(seconds * 1000), value: numberOf(text) };
}

/** Anything that is not a number in Prometheus' writing reads as NaN. */
export function numberOf(text: string): number {
  if (/^[+-]?inf$/i.test(text)) {
    return text.startsWith("-") ? -Infinity : Infinity;
  }
  return text.trim() === "" ? Number.NaN : Number(text);
}
