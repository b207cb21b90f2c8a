import {
  NO_EVIDENCE,
  type Evidence,
  type EvidenceQuestion,
  type ScopeEvidence,
} from "../decision/attribution/evidence.ts";
import type { Answer, Series } from "./answer.ts";
import type { PrometheusApi } from "./client.ts";
import { labelsOfPart } from "./evidence-part.ts";
import { levelOf, pastRange, pastText, readPast, showsBreach, weekRange } from "./evidence-past.ts";
import { boundsQuery, fineBound, planPods, readPods, type FineBound } from "./evidence-pods.ts";
import type { Limits } from "./evidence-query.ts";
import { planScope, readScope } from "./evidence-scope.ts";
import { Gate } from "./gate.ts";
import type { Range } from "./roles.ts";
import type { FormQuery, QuantileQuery, SignalQuery } from "./signal-query.ts";

/** Questions under way at one server: a storm of breaches must not be one for it. */
const QUESTIONS = 8;
/** Of the server's timeout: an answer that comes too late for a decision is no sign that the server is in trouble. */
const PATIENCE = 0.9;

type Asked<T> = Answer<T | undefined>;

/**
 * What one server knows of the causes of breaches: at most five questions, all at once, each with a bounded answer. Only
 * an abort of the caller's signal rejects.
 */
export class EvidenceReader {
  readonly #api: PrometheusApi;
  readonly #gate = new Gate(QUESTIONS);
  /** Bounds of histograms do not change. */
  readonly #bounds = new WeakMap<QuantileQuery, Map<number, FineBound | undefined>>();
  /** Under way: workloads that breach together ask the same of all the others. */
  readonly #shared = new Map<string, Promise<Answer<readonly Series[]>>>();

  constructor(api: PrometheusApi) {
    this.#api = api;
  }

  async read(query: SignalQuery, question: EvidenceQuestion, signal: AbortSignal): Promise<Evidence> {
    signal.throwIfAborted();
    // The series of one part of a free query cannot be asked for alone.
    const part =
      query.kind === "query" && query.by.length > 0 ? undefined : labelsOfPart(query.by, question.part);
    if (part === undefined) return NO_EVIDENCE;
    const form = query.kind === "query" ? undefined : query;
    const [pods, past, lastWeek, scope] = await Promise.all([
      form === undefined ? NOTHING : this.#pods(form, part, question, signal),
      this.#recentPast(query, part, question, signal),
      this.#past(query, part, question, weekRange(question), signal),
      form === undefined ? NOTHING : this.#scope(form, question, signal),
    ]);
    const failed = [pods, past, scope].find((answer) => answer.kind === "Failed");
    const value = <T>(answer: Asked<T>): T | undefined => (answer.kind === "Ok" ? answer.value : undefined);
    const samples = value(past);
    return {
      ...(failed?.kind === "Failed" ? { failed: failed.error.message } : {}),
      pods: value(pods),
      past:
        samples === undefined
          ? undefined
          : {
              forMs: question.row.forMs,
              limit: levelOf(question.row, question.row.threshold),
              stepMs: pastRange(question).step,
              samples,
              // Many servers do not go back so far, and some call that an error.
              lastWeek: value(lastWeek) ?? [],
            },
      scope: value(scope),
    };
  }

  async #pods(
    query: FormQuery,
    part: Limits,
    question: EvidenceQuestion,
    signal: AbortSignal,
  ): Promise<Asked<ReturnType<typeof readPods>>> {
    const fine = await this.#fineBound(query, question, signal);
    if (fine.kind === "Failed") return fine;
    const plan = planPods(query, part, question, this.#api.server.scrapeIntervalMs, fine.value);
    if (plan === undefined) return NOTHING;
    const answer = await this.#ask(plan.text, plan.range, signal);
    // Then the workload has thousands of pods: too many to look at each.
    if (answer.kind === "Failed") return answer.error.kind === "TooLarge" ? NOTHING : answer;
    return { kind: "Ok", value: readPods(plan, question, answer.value) };
  }

  async #fineBound(
    query: FormQuery,
    { at, row }: EvidenceQuestion,
    signal: AbortSignal,
  ): Promise<Asked<FineBound>> {
    if (query.kind === "ratio" || query.form.format === "Native") return NOTHING;
    const threshold = row.threshold / query.scale;
    const known = this.#bounds.get(query) ?? new Map<number, FineBound | undefined>();
    if (known.has(threshold)) return { kind: "Ok", value: known.get(threshold) };
    const answer = await this.#patiently(signal, (patience) =>
      this.#api.instant(boundsQuery(query), at, patience),
    );
    if (answer.kind === "Failed") return answer;
    const fine = fineBound(answer.value, threshold);
    if (answer.value.length > 0) this.#bounds.set(query, known.set(threshold, fine));
    return { kind: "Ok", value: fine };
  }

  /** The row fired on values of these very series: a history without them is not the whole one. */
  async #recentPast(
    query: SignalQuery,
    part: Limits,
    question: EvidenceQuestion,
    signal: AbortSignal,
  ): Promise<Asked<ReturnType<typeof readPast>>> {
    const range = pastRange(question);
    const answer = await this.#past(query, part, question, range, signal);
    return answer.kind === "Failed" || showsBreach(answer.value ?? [], question, range) ? answer : INCOMPLETE;
  }

  async #past(
    query: SignalQuery,
    part: Limits,
    question: EvidenceQuestion,
    range: Range,
    signal: AbortSignal,
  ): Promise<Asked<ReturnType<typeof readPast>>> {
    const answer = await this.#ask(pastText(query, part), range, signal);
    return answer.kind === "Failed"
      ? answer
      : { kind: "Ok", value: readPast(query, question, range, answer.value) };
  }

  async #scope(
    query: FormQuery,
    question: EvidenceQuestion,
    signal: AbortSignal,
  ): Promise<Asked<ScopeEvidence>> {
    const plan = planScope(query, question, this.#api.server.namespaceLabel);
    if (plan === undefined) return NOTHING;
    const answer = await this.#askShared(plan.text, plan.range, signal);
    return answer.kind === "Failed" ? answer : readScope(plan, query, question, answer.value);
  }

  /** Who asks what is being asked already gets the same answer; nobody's abort takes it from the others. */
  async #askShared(text: string, range: Range, signal: AbortSignal): Promise<Answer<readonly Series[]>> {
    const key = `${range.start} ${range.end} ${text}`;
    let asked = this.#shared.get(key);
    if (asked === undefined) {
      const { signal: nobodys } = new AbortController();
      asked = this.#ask(text, range, nobodys).finally(() => this.#shared.delete(key));
      this.#shared.set(key, asked);
    }
    return await unlessAborted(asked, signal);
  }

  #ask(text: string, { start, end, step }: Range, signal: AbortSignal): Promise<Answer<readonly Series[]>> {
    return this.#patiently(signal, (patience) => this.#api.range(text, start, end, step, patience));
  }

  async #patiently<T>(
    signal: AbortSignal,
    ask: (patience: AbortSignal) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    return await this.#gate.pass(async () => {
      signal.throwIfAborted();
      const { name, timeoutMs } = this.#api.server;
      const patience = AbortSignal.timeout(Math.floor(PATIENCE * timeoutMs));
      try {
        return await ask(AbortSignal.any([signal, patience]));
      } catch (error) {
        if (signal.aborted || !patience.aborted) throw error;
        const message = `Prometheus server "${name}" did not answer in time`;
        return { kind: "Failed", error: { kind: "Timeout", message } };
      }
    });
  }
}

const NOTHING: Asked<never> = { kind: "Ok", value: undefined };

const INCOMPLETE: Asked<never> = {
  kind: "Failed",
  error: {
    kind: "Partial",
    message: "the server's history does not show the breach that its newest answers show",
  },
};

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
