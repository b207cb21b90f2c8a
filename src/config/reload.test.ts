import { describe, expect, it } from "@jest/globals";
import { parseConfig } from "./load.ts";
import { planReload } from "./reload.ts";

const running = parseConfig("limits: {concurrentRequests: 3}", "f");

describe("planReload", () => {
  it("finds nothing to do in the same settings written differently", () => {
    const file = parseConfig("# a comment\nlimits:\n  concurrentRequests: 3\nlogLevel: info", "f");
    expect(planReload(running, file)).toEqual({ config: running, changed: [], needRestart: [] });
  });

  it("takes what can change, keeps what cannot, and names both", () => {
    const file = parseConfig(
      "{namespace: elsewhere, limits: {concurrentRequests: 4}, logLevel: debug, leaderElection: {leaseDuration: 60s}}",
      "f",
    );
    const { config, changed, needRestart } = planReload(running, file);
    expect(changed).toEqual(["limits", "logLevel"]);
    expect(needRestart).toEqual(["namespace", "leaderElection"]);
    expect(config).toEqual({ ...running, limits: file.limits, logLevel: "debug" });
  });

  it("goes on naming a setting that waits for its restart, compared with what runs", () => {
    const file = parseConfig("{namespace: elsewhere, limits: {concurrentRequests: 3}}", "f");
    const once = planReload(running, file);
    expect(planReload(once.config, file).needRestart).toEqual(["namespace"]);
    expect(planReload(once.config, running).needRestart).toEqual([]);
  });
});
