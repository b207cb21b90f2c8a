import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { attribute } from "../decision/attribution/attribute.ts";
import type { Evidence, EvidenceQuestion } from "../decision/attribution/evidence.ts";
import type { Answer, Series } from "./answer.ts";
import { EvidenceReader } from "./evidence.ts";
import { ROLE } from "./evidence-query.ts";
import {
  AT,
  counter,
  FakeApi,
  healthy,
  isPast,
  isScope,
  MINUTE,
  never,
  NOTHING,
  query,
  QUESTION,
  RATIO,
  ROW,
  type Asked,
} from "./testing/evidence-api.ts";

const HISTORY = "the server's history does not show the breach that its newest answers show";
const OTHERS = "the server's answer about all workloads does not show the breach of this one";

type Alter = (series: readonly Series[], asked: Asked) => readonly Series[];

/** What is read where the healthy answers of one kind are altered. */
async function read(
  isIt: (asked: Asked) => boolean,
  alter: Alter,
  question: EvidenceQuestion = QUESTION,
  reply: (asked: Asked) => Answer<readonly Series[]> = healthy,
): Promise<Evidence> {
  const api = new FakeApi((asked) => {
    const answer = reply(asked);
    return isIt(asked) && answer.kind === "Ok" ? { kind: "Ok", value: alter(answer.value, asked) } : answer;
  });
  return await new EvidenceReader(api).read(query({ ratio: RATIO, match: { app: "api" } }), question, never);
}

function verdictOn(evidence: Evidence, { at, onset, release }: EvidenceQuestion = QUESTION) {
  return attribute({
    release,
    evidence,
    onset,
    healthyAt: onset - 15_000,
    lookbackMs: 60 * MINUTE,
    toleratedGapMs: 45_000,
    now: at,
  }).verdict;
}

const without =
  (role: string): Alter =>
  (series) =>
    series.filter(({ labels }) => labels[ROLE] !== role);
const until =
  (end: number): Alter =>
  (series) =>
    series.map(({ labels, points }) => ({ labels, points: points.filter(({ at }) => at <= end) }));
const moved =
  (ms: number): Alter =>
  (series) =>
    series.map(({ labels, points }) => ({
      labels,
      points: points.map(({ at, value }) => ({ at: at - ms, value })),
    }));
const asIs: Alter = (series) => series;
const nothing: Alter = () => [];

describe("answers that lack the breach", () => {
  it("speak for the release where they are whole", async () => {
    const evidence = await read(isPast, asIs);
    expect(evidence.failed).toBeUndefined();
    expect(evidence.scope).toMatchObject({ others: 8, breaching: [] });
    expect(verdictOn(evidence)).toBe("Likely");
  });

  it.each([
    ["no history", isPast, nothing, HISTORY],
    ["a history that ends before the onset", isPast, until(QUESTION.onset - 1), HISTORY],
    ["a history without the requests that failed", isPast, without("first"), HISTORY],
    ["a history without the requests", isPast, without("second"), HISTORY],
    ["no workloads", isScope, nothing, OTHERS],
    ["workloads that are not counted", isScope, without("all"), OTHERS],
    ["no workload that breaches", isScope, without("breaching"), OTHERS],
    ["a breach that is over", isScope, until(QUESTION.onset - 1), OTHERS],
    ["nothing at all", () => true, nothing, HISTORY],
  ] as const)("are a failure: %s", async (_, isIt, alter, message) => {
    const evidence = await read(isIt, alter);
    expect(evidence.failed).toBe(message);
    expect(verdictOn(evidence)).toBe("Unknown");
  });

  it("need not show a breach between steps that the server moved", async () => {
    const short = { ...QUESTION, onset: AT - 15_000, row: { ...ROW, forMs: 0 } };
    const early = moved(20_000);
    expect((await read(isPast, early, short)).failed).toBeUndefined();
    // Moved as well, but over steps enough.
    const whole = await read(isPast, early);
    expect(whole.failed).toBeUndefined();
    expect(whole.past?.samples.at(-1)).toMatchObject({ at: AT - 20_000, verdict: "Breach" });
    const cut: Alter = (series, asked) => until(QUESTION.onset - 1)(early(series, asked), asked);
    expect((await read(isPast, cut)).failed).toBe(HISTORY);
  });

  it("must show a breach of one instant in the history, and need not among all workloads", async () => {
    const now = { ...QUESTION, onset: AT, row: { ...ROW, forMs: 0 } };
    expect((await read(isPast, until(AT - 1), now)).failed).toBe(HISTORY);
    expect((await read(isScope, without("breaching"), now)).failed).toBeUndefined();
    const uncounted = await read(isScope, without("all"), { ...now, at: AT + 7_000, onset: AT + 7_000 });
    expect(uncounted.scope).toBeUndefined();
  });

  it("are whole where more breach than are told of", async () => {
    const crowd: Alter = (series) => {
      const [ours, all] = series;
      const others = Array.from({ length: 50 }, (_, i) => ({
        labels: { [ROLE]: "breaching", app: `other-${i}` },
        points: ours?.points ?? [],
      }));
      return [...others, ...(all === undefined ? [] : [all])];
    };
    const evidence = await read(isScope, crowd);
    expect(evidence.failed).toBeUndefined();
    expect(evidence.scope?.breaching).toHaveLength(50);
  });

  it("are whole where nothing was counted of a share that is too low", async () => {
    const row = { ...ROW, comparison: "below", threshold: 0.9 } as const;
    const reply = (asked: Asked) => {
      const answer = healthy(asked);
      return answer.kind === "Ok" ? { ...answer, value: without("breaching")(answer.value, asked) } : answer;
    };
    const evidence = await read(isPast, without("first"), { ...QUESTION, row }, reply);
    expect(evidence.failed).toBeUndefined();
    expect(evidence.past?.samples.at(-1)).toMatchObject({ at: AT, verdict: "Breach" });
  });

  it("are a failure of a query of one's own as well, whose labels may change over the day", async () => {
    const ask = async (value: readonly Series[]): Promise<Evidence> => {
      const api = new FakeApi((asked) => (isPast(asked) ? { kind: "Ok", value } : NOTHING));
      return await new EvidenceReader(api).read(query({ query: "my:ratio" }), QUESTION, never);
    };
    const old = { labels: { v: "1" }, points: [{ at: AT - 60 * MINUTE, value: 0.01 }] };
    const young = counter({ v: "2" }, MINUTE, [0.2, 0.2]);
    expect((await ask([])).failed).toBe(HISTORY);
    expect((await ask([old])).failed).toBe(HISTORY);
    const { failed, past } = await ask([old, young]);
    expect(failed).toBeUndefined();
    expect(past?.samples.map(({ verdict }) => verdict)).toEqual(["Ok", "Breach", "Breach"]);
    expect((await ask([young, { ...young, labels: {} }])).failed).toBe(HISTORY);
  });

  it("never make a release Likely, whatever else is missing", async () => {
    const holes = fc.record({
      first: fc.boolean(),
      second: fc.boolean(),
      breaching: fc.boolean(),
      all: fc.boolean(),
      cutMs: fc.integer({ min: 0, max: 10 * MINUTE }),
    });
    const forMs = fc.constantFrom(MINUTE, 2 * MINUTE, 7 * MINUTE);
    await fc.assert(
      fc.asyncProperty(holes, forMs, async ({ cutMs, ...gone }, runMs) => {
        const question = { ...QUESTION, row: { ...ROW, forMs: runMs } };
        const alter: Alter = (series, asked) =>
          until(asked.end - cutMs)(
            series.filter(
              ({ labels }) => !Object.entries(gone).some(([role, is]) => is && labels[ROLE] === role),
            ),
            asked,
          );
        const evidence = await read(() => true, alter, question);
        const lacksBreach = Object.values(gone).includes(true) || cutMs > AT - QUESTION.onset;
        if (lacksBreach) expect(evidence.failed).toBeDefined();
        expect(verdictOn(evidence, question)).toBe(evidence.failed === undefined ? "Likely" : "Unknown");
      }),
    );
  });
});
