import { WHOLE, type Sample, type TimedSample } from "../decision/sample.ts";
import type { AlertQuery } from "./alert-query.ts";
import type { Answer, Element } from "./answer.ts";
import type { MonotonicClock } from "./breaker.ts";
import { classifyFreeValue } from "./classify.ts";
import type { PrometheusApi, RulesApi } from "./client.ts";
import { errorSample } from "./error-sample.ts";
import { alongSteps, piecesOf, type PastAnswer } from "./past-reader.ts";
import type { Range } from "./roles.ts";
import { RuleReach } from "./rule-reach.ts";
import type { AlertingRule } from "./rules-answer.ts";
import { FRESH_SCRAPES } from "./signal-query.ts";

/** Rules change with the server's configuration; what could not be read is asked for again sooner. */
const RULES_MS = { read: 60_000, failed: 15_000 };
/** How often rules are evaluated where the server does not say it: Prometheus' own default. */
const USUAL_INTERVAL_MS = 60_000;

type Rules = Answer<readonly AlertingRule[]>;

/** Counts firing alerts of one server. Errors are samples; only an abort of the caller's signal rejects. */
export class Alerts {
  readonly #api: PrometheusApi & RulesApi;
  readonly #clock: MonotonicClock;
  readonly #reach: RuleReach | undefined;
  #rules: { readonly rules: Rules; readonly until: number } | undefined;

  constructor(api: PrometheusApi & RulesApi, clock: MonotonicClock) {
    this.#api = api;
    this.#clock = clock;
    const { namespaceLabel } = api.server;
    this.#reach = namespaceLabel === undefined ? undefined : new RuleReach(namespaceLabel);
  }

  /** At an instant, ms since the epoch. */
  async read(query: AlertQuery, atMs: number, signal: AbortSignal): Promise<Sample> {
    const [value, freshness] = await Promise.all([
      this.#api.instant(query.value, atMs, signal),
      this.#api.instant(query.freshness, atMs, signal),
    ]);
    if (value.kind === "Failed") return errorSample(value.error);
    if (freshness.kind === "Failed") return errorSample(freshness.error);
    return this.#classify(query, await this.#rulesNow(signal), value.value, freshness.value, atMs);
  }

  /** For every step of the range, against the rules that the server has now. */
  async readPast(query: AlertQuery, range: Range, signal: AbortSignal): Promise<PastAnswer> {
    const rules = await this.#rulesNow(signal);
    const samples: TimedSample[] = [];
    for (const piece of piecesOf(range)) {
      const { start, end, step } = piece;
      const [value, freshness] = await Promise.all([
        this.#api.range(query.value, start, end, step, signal),
        this.#api.range(query.freshness, start, end, step, signal),
      ]);
      if (value.kind === "Failed") return value;
      if (freshness.kind === "Failed") return freshness;
      for (const [at, count, newest] of alongSteps(value.value, freshness.value, piece)) {
        samples.push({ at, sample: this.#classify(query, rules, count, newest, at) });
      }
    }
    return { kind: "Ok", value: new Map([[WHOLE, samples]]) };
  }

  #classify(
    query: AlertQuery,
    rules: Rules,
    count: readonly Element[],
    newest: readonly Element[],
    atMs: number,
  ): Sample {
    const { alertname } = query;
    const found =
      rules.kind === "Ok"
        ? rules.value.filter(({ name }) => alertname === undefined || name === alertname)
        : [];
    if (count.length === 0) return this.#silence(query, rules, found);
    const intervals = found.map(({ intervalMs }) => intervalMs).filter((ms) => ms > 0);
    const intervalMs = intervals.length === 0 ? USUAL_INTERVAL_MS : Math.max(...intervals);
    const freshWithinMs = FRESH_SCRAPES * Math.max(intervalMs, this.#api.server.scrapeIntervalMs);
    return classifyFreeValue({ freshWithinMs, scale: 1 }, count, newest[0]?.value, atMs);
  }

  /** No alert fires: which is 0 only where something watches, and can. */
  #silence({ alertname, forced }: AlertQuery, rules: Rules, found: readonly AlertingRule[]): Sample {
    const server = `server ${this.#api.server.name}`;
    if (rules.kind === "Failed") {
      const detail = `no such alert fires, and whether a rule watches is not known: ${rules.error.message}`;
      return { kind: "Unproven", detail };
    }
    if (found.length === 0) {
      const rule = alertname === undefined ? "no alerting rule at all" : `no alerting rule ${alertname}`;
      return { kind: "Unproven", detail: `${rule} on ${server}` };
    }
    const watching = found.filter((rule) => !this.#isElsewhere(rule, forced));
    const [first] = watching;
    if (first === undefined) {
      const rule = alertname === undefined ? "every alerting rule" : `the alerting rule ${alertname}`;
      const detail = `${rule} on ${server} is hard-wired to another namespace, so its silence proves nothing about "${forced}"`;
      return { kind: "Unproven", detail };
    }
    if (watching.some(({ health }) => health === "ok")) return { kind: "Value", value: 0 };
    // The rules of a shared server are those of others too, and so is what their names and errors tell.
    const rule =
      forced === undefined || alertname !== undefined
        ? `the alerting rule ${first.name}`
        : "every alerting rule";
    return { kind: "Unproven", detail: `${rule} on ${server} tells nothing: ${whyNothing(first, forced)}` };
  }

  #isElsewhere(rule: AlertingRule, forced: string | undefined): boolean {
    return forced !== undefined && this.#reach?.isElsewhere(rule, forced) === true;
  }

  async #rulesNow(signal: AbortSignal): Promise<Rules> {
    const now = this.#clock.monotonic();
    if (this.#rules !== undefined && now < this.#rules.until) return this.#rules.rules;
    const rules = await this.#api.rules(signal);
    this.#rules = { rules, until: now + (rules.kind === "Ok" ? RULES_MS.read : RULES_MS.failed) };
    return rules;
  }
}

/** The error of a rule names series and databases of whoever uses the server: only who sees them all may read it. */
function whyNothing({ lastError }: AlertingRule, forced: string | undefined): string {
  if (lastError === "") return "it was not evaluated yet";
  return forced === undefined
    ? lastError.slice(0, 300)
    : "it has an error, which the administrator can see on the server";
}
