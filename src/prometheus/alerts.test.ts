import { describe, expect, it } from "@jest/globals";
import { WHOLE } from "../decision/sample.ts";
import { buildAlertQuery } from "./alert-query.ts";
import { Alerts } from "./alerts.ts";
import type { Answer, Element } from "./answer.ts";
import type { PrometheusApi, RulesApi } from "./client.ts";
import { readAlertingRules, type AlertingRule } from "./rules-answer.ts";
import type { PrometheusServer } from "./server.ts";

const SERVER: PrometheusServer = {
  name: "default",
  url: "http://x",
  timeoutMs: 1,
  scrapeIntervalMs: 1_000,
  namespaceLabel: "namespace",
};
/** One whose policies see everything. */
const OPEN: PrometheusServer = { ...SERVER, namespaceLabel: undefined };
const { signal } = new AbortController();
const AT = 100_000;
const RULE: AlertingRule = {
  name: "ApiDown",
  intervalMs: 10_000,
  health: "ok",
  lastError: "",
  labels: new Map(),
  query: "up == 0",
};
const ERROR = 'many-to-many: {database="ledger", namespace="bank"}';
const BROKEN: AlertingRule = { ...RULE, health: "err", lastError: ERROR };

function queryOf(matchers: Readonly<Record<string, string>>, server = SERVER) {
  const built = buildAlertQuery({ name: "paging", matchers }, server, "shop");
  if (built.kind === "Refused") throw new Error(built.message);
  return built.value;
}

interface World {
  firing?: number;
  /** Seconds since the epoch. */
  newest?: number;
  rules?: Answer<readonly AlertingRule[]>;
  server?: PrometheusServer;
}

function withRules(...value: readonly AlertingRule[]): World {
  return { rules: { kind: "Ok", value } };
}

function labelled(namespace: string): AlertingRule {
  return { ...RULE, labels: new Map([["namespace", namespace]]) };
}

function alertsOf({
  firing,
  newest = AT / 1_000,
  rules = { kind: "Ok", value: [RULE] },
  server = SERVER,
}: World) {
  const asked = { rules: 0 };
  const answer = (value: number): readonly Element[] =>
    firing === undefined ? [] : [{ labels: {}, at: AT, value }];
  const valueOf = (query: string) => answer(query.startsWith("count") ? (firing ?? 0) : newest);
  const api: PrometheusApi & RulesApi = {
    server,
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
  return await alertsOf(world).alerts.read(queryOf(matchers, world.server), AT, signal);
}

describe("the query of an alert signal", () => {
  it("counts the firing alerts of the policy's namespace, values escaped", () => {
    expect(queryOf({ alertname: 'a"b', team: "x|y" })).toEqual({
      value: 'count(ALERTS{alertstate="firing",alertname="a\\"b",team="x|y",namespace="shop"})',
      freshness: 'max(timestamp(ALERTS{alertstate="firing",alertname="a\\"b",team="x|y",namespace="shop"}))',
      alertname: 'a"b',
      forced: "shop",
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
      "a rule that fails, where a policy may see everything",
      { ...withRules(BROKEN), server: OPEN },
      undefined,
      `the alerting rule ApiDown on server default tells nothing: ${ERROR}`,
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

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ["that it names", { alertname: "ApiDown" }, "the alerting rule ApiDown"],
    ["of whatever name", { severity: "page" }, "every alerting rule"],
  ])("tells a policy of one namespace nothing of the error of a rule %s", async (_, matchers, rule) => {
    expect(await read(withRules(BROKEN), matchers)).toEqual({
      kind: "Unproven",
      detail: `${rule} on server default tells nothing: it has an error, which the administrator can see on the server`,
    });
  });

  it.each<[string, AlertingRule]>([
    ["its label", labelled("bank")],
    ["its label, which is empty", labelled("")],
    ["its query", { ...RULE, query: 'up{namespace="bank"} == 0' }],
    ["its broken query", { ...BROKEN, query: 'up{namespace="bank"} == 0' }],
    ["its query, twice", { ...RULE, query: 'rate(a{namespace="bank"}[5m]) > on () b{namespace="till"}' }],
    ["its label, whatever its query", { ...labelled("bank"), query: 'up{namespace="shop"}' }],
  ])("proves nothing where the rule is hard-wired to another namespace by %s", async (_, rule) => {
    expect(await read(withRules(rule))).toEqual({
      kind: "Unproven",
      detail:
        'the alerting rule ApiDown on server default is hard-wired to another namespace, so its silence proves nothing about "shop"',
    });
    expect(await read(withRules(rule), { severity: "page" })).toEqual({
      kind: "Unproven",
      detail: expect.stringMatching(/^every alerting rule on server default is hard-wired/),
    });
    // Beside one that watches, and where no namespace is forced, it is as good as any.
    expect(await read(withRules(rule, RULE))).toEqual({ kind: "Value", value: 0 });
    const open = await read({ ...withRules({ ...rule, health: "ok" }), server: OPEN });
    expect(open).toEqual({ kind: "Value", value: 0 });
  });

  it.each<[string, AlertingRule]>([
    ["its label is the policy's namespace", labelled("shop")],
    ["its label is, whatever its query", { ...labelled("shop"), query: 'up{namespace="gateway"} == 0' }],
    ["its label is a template", { ...labelled("{{ $labels.owner }}"), query: 'up{namespace="gateway"}' }],
    ["its query names the policy's namespace", { ...RULE, query: 'up{namespace="shop"} == 0' }],
    ["one selector is free", { ...RULE, query: 'up{namespace="bank"} or down' }],
    ["the namespace is a pattern", { ...RULE, query: 'up{namespace=~"bank|shop"}' }],
    ["the namespace is excluded", { ...RULE, query: 'up{namespace!="bank"}' }],
    [
      "the query writes the label",
      { ...RULE, query: 'label_replace(x{namespace="kube"}, "namespace", "$1", "owner", "(.*)")' },
    ],
    ["the query cannot be read", { ...RULE, query: 'up{namespace="bank"} ==' }],
    ["the query is not known", { ...RULE, query: "" }],
  ])("is 0 where %s", async (_, rule) => {
    expect(await read(withRules(rule))).toEqual({ kind: "Value", value: 0 });
  });

  it("is no 0 where the rule that works watches another namespace", async () => {
    expect(await read(withRules(labelled("bank"), BROKEN))).toEqual({
      kind: "Unproven",
      detail: expect.stringContaining("tells nothing: it has an error"),
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

describe("the answer about rules", () => {
  const answer = (...rules: readonly object[]) =>
    readAlertingRules({
      status: "success",
      data: { groups: [{ interval: 10, rules: rules.map((rule) => ({ type: "alerting", ...rule })) }] },
    })?.value;

  it("has labels and query of each", () => {
    const labels = { namespace: "shop" };
    expect(answer({ name: "ApiDown", health: "ok", labels, query: "up == 0" })).toEqual([labelled("shop")]);
  });

  it("is one without them, or with something else there", () => {
    const unknown = { ...RULE, query: "" };
    expect(
      answer({ name: "ApiDown", health: "ok" }, { name: "ApiDown", health: "ok", labels: null, query: 1 }),
    ).toEqual([unknown, unknown]);
  });

  it("is bounded", () => {
    const labels = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`l${index}`, "x".repeat(1_000)]),
    );
    const [rule] = answer({ name: "ApiDown", labels, query: `up or ${"x".repeat(100_000)}` }) ?? [];
    expect(rule?.query).toBe("");
    expect([...(rule?.labels ?? [])]).toHaveLength(64);
    expect(rule?.labels.get("l0")).toHaveLength(256);
  });
});
