import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { ERROR_RATE, startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { until } from "../support/world.ts";

const BLIND = { limits: { automaticRollbacksPer10Minutes: 0 } };

describe("an operator whose configuration file changes", () => {
  let lab: PolicyLab;
  let service: PolicyService;
  let pid: number;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["shop", "late"], servers: { second: {} }, config: BLIND });
    pid = lab.operator().pid;
    service = await lab.service("shop");
    await service.watch();
    await service.baked();
  }, 150_000);

  afterAll(() => lab?.stop(), 60_000);

  async function metric(line: RegExp): Promise<string | undefined> {
    const text = await (await fetch(`${lab.operator().url}/metrics`)).text();
    return text.split("\n").find((each) => line.test(each));
  }

  async function loggedLines(): Promise<readonly Record<string, unknown>[]> {
    const lines = (await readFile(lab.operator().logPath, "utf8")).split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  const showsMetric = (line: RegExp) =>
    until(
      `metric ${line.source}`,
      () => metric(line),
      (found) => found !== undefined,
    );

  it("begins with the file in force", async () => {
    await showsMetric(/^rollback_config_reload_success 1$/);
    await showsMetric(/^rollback_config_last_reload_timestamp_seconds \d/);
  });

  it("refuses a bad file, says why, stays ready and keeps the old settings", async () => {
    await lab.configure({ limits: { automaticRollbacksPer10Minutes: -1, automatic: 5 } });
    await showsMetric(/^rollback_config_reload_success 0$/);
    const refusals = await until(
      "both problems are logged",
      async () => (await loggedLines()).filter(({ msg }) => String(msg).startsWith("configuration refused")),
      ({ length }) => length > 1,
    );
    expect(refusals.map(({ problem }) => problem)).toEqual([
      expect.stringMatching(/^limits\.automaticRollbacksPer10Minutes: /),
      expect.stringMatching(/^limits: .*automatic/),
    ]);
    expect((await fetch(`${lab.operator().url}/readyz`)).status).toBe(200);
    await service.released();
    service.traffic(50, 0.5);
    expect(await service.held("BlastRadius")).toContain("the administrator's limit is 0");
  }, 90_000);

  it("takes another limit into force: the rollback that it held is made", async () => {
    await lab.configure({ limits: { automaticRollbacksPer10Minutes: 5 } });
    const [request] = await service.requested();
    service.traffic(50, 0);
    expect((await service.shop.ended(request?.metadata.name ?? "")).status?.phase).toBe("Succeeded");
    await showsMetric(/^rollback_config_reload_success 1$/);
  }, 90_000);

  it("takes a server away and gives it back: its policies say so, and go on from what Prometheus holds", async () => {
    const { prometheus } = ERROR_RATE;
    const late = await lab.service("late");
    const onSecond = { signals: [{ ...ERROR_RATE, prometheus: { ...prometheus, server: "second" } }] };
    await late.watch(onSecond);
    await late.baked();
    await lab.configure({ prometheus: { servers: [lab.serverEntry("default")] } });
    const gone = await late.shows("Ready", "False", "CannotEvaluate");
    expect(gone.message).toContain('no Prometheus server "second" (configured are: default)');
    // Whoever did not name it does not notice.
    await service.shows("Ready", "True", "Evaluating");
    await lab.configure({});
    await late.shows("Ready", "True", "Evaluating");
    expect((await late.policy()).status?.release?.knownGoodSince).toBeDefined();
  }, 90_000);

  it("changes its log level", async () => {
    await lab.configure({ logLevel: "error" });
    await until(
      "silent reload",
      async () => (await loggedLines()).filter(({ changed }) => String(changed).includes("logLevel")).length,
      (count) => count > 0,
    );
    const before = (await loggedLines()).length;
    await lab.configure({ logLevel: "error", limits: { concurrentRequests: 7 } });
    await showsMetric(/^rollback_config_reload_success 1$/);
    await lab.configure({ namespace: "Not A Name" });
    await showsMetric(/^rollback_config_reload_success 0$/);
    const since = await until(
      "the refusal is logged",
      async () => (await loggedLines()).slice(before),
      ({ length }) => length > 0,
    );
    expect(since.map(({ msg }) => msg)).toEqual(["configuration refused, the old one is kept"]);
  }, 90_000);

  it("keeps what needs a restart, and says so", async () => {
    await lab.configure({ namespace: "elsewhere", logLevel: "info" });
    await showsMetric(/^rollback_config_restart_needed\{setting="namespace"\} 1$/);
    const [warning] = await until(
      "the warning is logged",
      async () => (await loggedLines()).filter(({ setting }) => setting === "namespace"),
      ({ length }) => length > 0,
    );
    expect(warning?.["msg"]).toBe("the change needs a restart, the old value is kept");
    const lease = await lab.world.kubectl(["get", "lease", "-n", "rollback-system", "-o", "name"]);
    expect(lease).toContain("rollback-operator");
    await lab.configure({});
    await until(
      "nothing waits for a restart",
      () => metric(/^rollback_config_restart_needed\{/),
      (found) => found === undefined,
    );
  }, 90_000);

  it("did all of it in one process", () => {
    expect(lab.operator().pid).toBe(pid);
    expect(() => process.kill(pid, 0)).not.toThrow();
  });
});
