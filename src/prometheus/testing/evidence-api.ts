import type { EvidenceQuestion } from "../../decision/attribution/evidence.ts";
import type { Row } from "../../decision/row.ts";
import type { Answer, Element, PrometheusErrorKind, Series } from "../answer.ts";
import type { PrometheusApi } from "../client.ts";
import { ROLE } from "../evidence-query.ts";
import { buildSignalQuery, type SignalQuery, type SignalSpec } from "../signal-query.ts";

export const AT = Date.UTC(2026, 10, 22, 14, 7, 0);
export const MINUTE = 60_000;
export const ROW: Row = {
  name: "errors",
  signal: "s",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 2 * MINUTE,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 0,
};
export const QUESTION: EvidenceQuestion = {
  at: AT,
  onset: AT - 2 * MINUTE,
  row: ROW,
  part: "",
  release: { replicaSetUid: "rs", revision: 7, podTemplateHash: "new7", startedAt: AT - 4 * MINUTE },
  otherHashes: ["old6", "weird|.*"],
  podLabel: "pod",
};
export const SERVER = { name: "main", url: "http://none", timeoutMs: 5_000, scrapeIntervalMs: 15_000 };
export const RATIO = { bad: 'hits{status=~"5.."}', total: "hits", window: "1m" };
export const never = new AbortController().signal;

export interface Asked {
  readonly query: string;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

export type Reply = (asked: Asked) => Answer<readonly Series[]> | Promise<Answer<readonly Series[]>>;

export const NOTHING: Answer<never[]> = { kind: "Ok", value: [] };

export class FakeApi implements PrometheusApi {
  readonly asked: Asked[] = [];
  readonly server;
  readonly #reply: Reply;
  readonly #instant: Answer<readonly Element[]>;

  constructor(reply: Reply = () => NOTHING, instant: Answer<readonly Element[]> = NOTHING, server = {}) {
    this.#reply = reply;
    this.#instant = instant;
    this.server = { ...SERVER, ...server };
  }

  instant(query: string, at: number): Promise<Answer<readonly Element[]>> {
    this.asked.push({ query, start: at, end: at, step: 0 });
    return Promise.resolve(this.#instant);
  }

  async range(query: string, start: number, end: number, step: number, signal: AbortSignal) {
    const asked = { query, start, end, step };
    this.asked.push(asked);
    const reply = await this.#reply(asked);
    signal.throwIfAborted();
    return reply;
  }
}

export function query(prometheus: Partial<SignalSpec["prometheus"]>, server = {}): SignalQuery {
  const spec = { name: "s", prometheus: { minimumRequests: 50, ...prometheus } };
  const built = buildSignalQuery(spec, { ...SERVER, ...server }, "shop");
  if (built.kind === "Refused") throw new Error(built.message);
  return built.value;
}

export function failed(kind: PrometheusErrorKind): Answer<never> {
  return { kind: "Failed", error: { kind, message: `it said ${kind}` } };
}

export const isPods = ({ query: text }: Asked): boolean => text.includes("sum by (pod)");
export const isScope = ({ query: text }: Asked): boolean => text.includes("topk");
export const isLastWeek = ({ end }: Asked): boolean => end < AT - 3 * 24 * 60 * MINUTE;
export const isPast = (asked: Asked): boolean => !isPods(asked) && !isScope(asked) && !isLastWeek(asked);

/** Cumulated values at the steps of a range that ends at `AT`, newest last. */
export function counter(
  labels: Series["labels"],
  step: number,
  values: readonly (number | undefined)[],
): Series {
  const points = values.flatMap((value, i) =>
    value === undefined ? [] : [{ at: AT - (values.length - 1 - i) * step, value }],
  );
  return { labels, points };
}

/** Of a server that shows the breach of the ratio of `app="api"`, of nobody else, and nothing of pods. */
export function healthy(asked: Asked): Answer<readonly Series[]> {
  if (isPods(asked) || isLastWeek(asked)) return NOTHING;
  if (!isScope(asked)) {
    return {
      kind: "Ok",
      value: [
        counter({ [ROLE]: "first" }, asked.step, [0.1, 3, 3, 3]),
        counter({ [ROLE]: "second" }, asked.step, [10, 10, 10, 10]),
      ],
    };
  }
  const points = [0, 1, 2, 3, 4].map((i) => ({ at: asked.end - i * asked.step, value: 1 })).toReversed();
  return {
    kind: "Ok",
    value: [
      { labels: { [ROLE]: "breaching", app: "api" }, points },
      { labels: { [ROLE]: "all" }, points: points.map(({ at }) => ({ at, value: 9 })) },
    ],
  };
}
