import { describe, expect, it } from "@jest/globals";
import { WHOLE } from "../decision/sample.ts";
import { buildAlertQuery } from "./alert-query.ts";
import { Alerts } from "./alerts.ts";
import type { Answer, Element } from "./answer.ts";
import type { PrometheusApi, RulesApi } from "./client.ts";
import type { AlertingRule } from "./rules-answer.ts";

const SERVER = {
  name: "default",
  url: "http://x",
  timeoutMs: 1,
  scrapeIntervalMs: 1_000,
  namespaceLabel: "namespace",
};
const { signal } = new AbortController();
const AT = 100_000;
const RULE: AlertingRule = { name: "ApiDown", intervalMs: 10_000, health: "ok", lastError: "" };

function queryOf(matchers: Readonly<Record<string, string>>) {
  const built = buildAlertQuery({ name: "paging", matchers }, SERVER, "shop");
  if (built.kind === "Refused") throw new Error(built.message);
  return built.value;
}

interface World {
  firing?: number;
  /** Seconds since the epoch. */
  newest?: number;
  rules?: Answer<readonly AlertingRule[]>;
}

function alertsOf({ firing, newest = AT / 1_000, rules = { kind: "Ok", value: [RULE] } }: World) {
  const asked = { rules: 0 };
  const answer = (value: number): readonly Element[] =>
    firing === undefined ? [] : [{ labels: {}, at: AT, value }];
  const valueOf = (query: string) => answer(query.startsWith("count") ? (firing ?? 0) : newest);
  const api: PrometheusApi & RulesApi = {
    server: SERVER,
    instant: async (query) => ({ kind: "Ok", value: valueOf(query) }),
    range: async (query, start) => ({
      kind: "Ok",
      value: valueOf(query).map(({ labels, value }) => ({ labels, points: [{ at: start, value }] })),
    }),
    rules: async () => {
      asked.rules += 1;
      return rules;
    },
  };
  const clock = { now: 0 };
  return { alerts: new Alerts(api, { monotonic: () => clock.now }), asked, clock };
}

async function read(world: World, matchers: Readonly<Record<string, string>> = { alertname: "ApiDown" }) {
  return await alertsOf(world).alerts.read(queryOf(matchers), AT, signal);
}

describe("the query of an alert signal", () => {
  it("counts the firing alerts of the policy's namespace, values escaped", () => {
    expect(queryOf({ alertname: 'a"b', team: "x|y" })).toEqual({
      value: 'count(ALERTS{alertstate="firing",alertname="a\\"b",team="x|y",namespace="shop"})',
      freshness: 'max(timestamp(ALERTS{alertstate="firing",alertname="a\\"b",team="x|y",namespace="shop"}))',
      alertname: 'a"b',
    });
  });

  it("is refused for the alerts of another namespace", () => {
    expect(buildAlertQuery({ name: "paging", matchers: { namespace: "other" } }, SERVER, "shop")).toEqual({
      kind: "Refused",
      message: expect.stringMatching(/^signal paging: alert.matchers.namespace must be "shop"/),
    });
  });
});

describe("firing alerts", () => {
  it("are counted while their newest sample is fresh by the rule's own interval", async () => {
    expect(await read({ firing: 3 })).toEqual({ kind: "Value", value: 3 });
    expect(await read({ firing: 3, newest: 75.1 })).toEqual({ kind: "Value", value: 3 });
    expect(await read({ firing: 3, newest: 75 })).toMatchObject({ kind: "Stale" });
  });

  it("need no rule that can be read", async () => {
    const rules = { kind: "Failed", error: { kind: "HttpError", message: "HTTP 404" } } as const;
    expect(await read({ firing: 1, newest: 10, rules })).toEqual({ kind: "Value", value: 1 });
  });
});

describe("no firing alert", () => {
  it("is 0 where a rule of that name watches", async () => {
    expect(await read({})).toEqual({ kind: "Value", value: 0 });
    expect(await read({}, { severity: "page" })).toEqual({ kind: "Value", value: 0 });
  });

  it.each<[string, World, Readonly<Record<string, string>> | undefined, string]>([
    ["no such rule", {}, { alertname: "WebDown" }, "no alerting rule WebDown on server default"],
    ["no rule at all", { rules: { kind: "Ok", value: [] } }, { severity: "page" }, "no alerting rule at all"],
    [
      "a rule that fails",
      { rules: { kind: "Ok", value: [{ ...RULE, health: "err", lastError: "many-to-many" }] } },
      undefined,
      "the alerting rule ApiDown on server default tells nothing: many-to-many",
    ],
    [
      "a rule that was not evaluated yet",
      { rules: { kind: "Ok", value: [{ ...RULE, health: "unknown" }] } },
      undefined,
      "it was not evaluated yet",
    ],
    [
      "rules that cannot be read",
      { rules: { kind: "Failed", error: { kind: "HttpError", message: "HTTP 404" } } },
      undefined,
      "HTTP 404",
    ],
  ])("with %s is Unproven", async (_, world, matchers, detail) => {
    expect(await read(world, matchers)).toEqual({
      kind: "Unproven",
      detail: expect.stringContaining(detail),
    });
  });

  it("in the past is judged by the rules of now, step by step", async () => {
    const { alerts, asked } = alertsOf({ firing: 1 });
    const past = await alerts.readPast(
      queryOf({ alertname: "ApiDown" }),
      { start: AT, end: AT + 2_000, step: 1_000 },
      signal,
    );
    expect(past).toEqual({
      kind: "Ok",
      value: new Map([
        [
          WHOLE,
          [1, 0, 0].map((value, index) => ({ at: AT + index * 1_000, sample: { kind: "Value", value } })),
        ],
      ]),
    });
    expect(asked.rules).toBe(1);
  });
});

describe("rules", () => {
  it("are read once a minute, and sooner where they could not be", async () => {
    const good = alertsOf({});
    const query = queryOf({ alertname: "ApiDown" });
    for (const now of [0, 59_999, 60_000]) {
      good.clock.now = now;
      await good.alerts.read(query, AT, signal);
    }
    expect(good.asked.rules).toBe(2);
    const bad = alertsOf({ rules: { kind: "Failed", error: { kind: "Timeout", message: "late" } } });
    for (const now of [0, 14_999, 15_000]) {
      bad.clock.now = now;
      await bad.alerts.read(query, AT, signal);
    }
    expect(bad.asked.rules).toBe(2);
  });
});
