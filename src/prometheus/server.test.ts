import { describe, expect, it } from "@jest/globals";
import { serverFromConfig } from "./server.ts";

const config = {
  name: "default",
  url: "http://prometheus:9090",
  scrapeInterval: 30_000,
  timeout: 10_000,
  namespaceLabel: "namespace",
  headers: {},
};

describe("serverFromConfig", () => {
  it("forces the namespace label, unless it is empty", () => {
    expect(serverFromConfig(config)).toMatchObject({
      timeoutMs: 10_000,
      scrapeIntervalMs: 30_000,
      namespaceLabel: "namespace",
    });
    expect(serverFromConfig({ ...config, namespaceLabel: "" }).namespaceLabel).toBeUndefined();
  });
});
