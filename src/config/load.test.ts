import { describe, expect, it } from "@jest/globals";
import { ConfigError, loadConfig, parseConfig } from "./load.ts";
import { OperatorConfig } from "./schema.ts";

describe("the admin's configuration", () => {
  it("has safe defaults", async () => {
    const config = await loadConfig(undefined);

    expect(config.limits.automaticRollbacksPer10Minutes).toBe(5);
    expect(config.leaderElection).toEqual({
      leaseDuration: 15_000,
      renewDeadline: 10_000,
      retryPeriod: 2_000,
    });
    expect(config.executor.default).toBe("rollback-executor");
  });

  it("reads durations as milliseconds", () => {
    const config = parseConfig(
      "prometheus: {servers: [{name: default, url: 'http://p:9090', scrapeInterval: 1s}]}",
      "f",
    );

    expect(config.prometheus.servers[0]).toMatchObject({
      scrapeInterval: 1_000,
      namespaceLabel: "namespace",
    });
  });

  it.each([
    ["an unknown key with its path", "limits: {automatic: 5}", /limits: .*automatic/],
    [
      "a bad URL with its path",
      "prometheus: {servers: [{name: a, url: 'ftp://x'}]}",
      /prometheus\.servers\.0\.url/,
    ],
    [
      "two servers of one name",
      "prometheus: {servers: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]}",
      /same name/,
    ],
    ["timings that cannot work", "leaderElection: {retryPeriod: 20s}", /shorter than renewDeadline/],
    ["YAML that does not parse", "limits: {", /f is not valid/],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseConfig(text, "f")).toThrow(ConfigError);
    expect(() => parseConfig(text, "f")).toThrow(message);
  });

  it("says which file it cannot read", async () => {
    await expect(loadConfig("/no/such/file")).rejects.toThrow(/cannot read \/no\/such\/file/);
  });
});

describe("the example configuration", () => {
  it("is valid and names every setting", async () => {
    const config = await loadConfig("examples/config/operator.yaml");

    expect(Object.keys(config)).toEqual(Object.keys(OperatorConfig.parse({})));
  });
});
