import { describe, expect, it } from "@jest/globals";
import { MockAgent } from "undici";
import { PrometheusServers } from "./servers.ts";

const CONFIG = {
  name: "default",
  url: "http://prometheus.invalid/prefix",
  scrapeInterval: 15_000,
  timeout: 1_000,
  minimumInterval: 5_000,
  namespaceLabel: "namespace",
  headers: {},
};
const RATIO = {
  name: "error-rate",
  prometheus: {
    server: "default",
    ratio: { bad: 'errors_total{code="500"}', total: "requests_total", window: "1m" },
    minimumRequests: 1,
  },
};
const { signal } = new AbortController();

function serversWith(agent: MockAgent) {
  const results: string[] = [];
  const clock = { monotonic: () => 0 };
  const servers = new PrometheusServers([CONFIG], agent, clock, ({ server, result }) =>
    results.push(`${server} ${result}`),
  );
  return { servers, results };
}

function agentAnswering(value: string): MockAgent {
  const agent = new MockAgent();
  agent.disableNetConnect();
  const vector = { resultType: "vector", result: [{ metric: { namespace: "shop" }, value: [0, value] }] };
  agent
    .get("http://prometheus.invalid")
    .intercept({ path: "/prefix/api/v1/query", method: "POST" })
    .reply(200, { status: "success", data: vector })
    .persist();
  return agent;
}

describe("PrometheusServers", () => {
  it("knows servers by name, with what a policy may ask of them", () => {
    const { servers } = serversWith(new MockAgent());
    expect(servers.get("default")).toMatchObject({ minimumIntervalMs: 5_000, server: { timeoutMs: 1_000 } });
    expect(servers.get("main")).toBeUndefined();
    expect(servers.unknownServer("main")).toMatch(/no Prometheus server "main" \(configured are: default\)/);
    const none = new PrometheusServers([], new MockAgent(), { monotonic: () => 0 });
    expect(none.unknownServer("main")).toMatch(/none is configured/);
  });

  it("is replaced: an unchanged server keeps what it knows, a changed one begins anew, and listeners hear of it", () => {
    const { servers } = serversWith(new MockAgent());
    const before = servers.get("default");
    let changes = 0;
    const stop = servers.onChange(() => (changes += 1));
    servers.replace([
      { ...CONFIG, headers: {} },
      { ...CONFIG, name: "main" },
    ]);
    expect(servers.get("default")?.sampler).toBe(before?.sampler);
    expect(servers.names()).toEqual(["default", "main"]);
    servers.replace([{ ...CONFIG, url: "http://other.invalid" }]);
    expect(servers.get("default")?.sampler).not.toBe(before?.sampler);
    expect(servers.get("default")?.server.url).toBe("http://other.invalid");
    expect(servers.get("main")).toBeUndefined();
    expect(changes).toBe(2);
    stop();
    servers.replace([]);
    expect(changes).toBe(2);
  });

  it("samples once, and tells every query", async () => {
    const { servers, results } = serversWith(agentAnswering("2"));
    expect(await servers.sampleOnce(RATIO, "shop", 0, signal)).toEqual({
      kind: "Value",
      value: 1,
      requests: 120,
    });
    expect(results).toEqual(["default Ok", "default Ok"]);
  });

  it("makes an Error of what cannot be asked, without asking", async () => {
    const { servers, results } = serversWith(new MockAgent());
    const elsewhere = { ...RATIO, prometheus: { ...RATIO.prometheus, server: "main" } };
    expect(await servers.sampleOnce(elsewhere, "shop", 0, signal)).toMatchObject({
      kind: "Error",
      detail: expect.stringContaining('"main"'),
    });
    const broken = {
      ...RATIO,
      prometheus: { ...RATIO.prometheus, ratio: { bad: "a{", total: "b", window: "1m" } },
    };
    expect(await servers.sampleOnce(broken, "shop", 0, signal)).toMatchObject({ kind: "Error" });
    expect(results).toEqual([]);
  });
});
