import { describe, expect, it } from "@jest/globals";
import type { ReflectorHealth } from "../kube/reflector.ts";
import { createStore } from "../kube/store.ts";
import type { ConfigMap } from "../kube/well-known.ts";
import { createKillSwitch } from "./kill-switch.ts";

const NOW = 1_000_000;
const HEALTHY = { synced: true, lastContact: NOW - 1_000, lastError: undefined } as ReflectorHealth;

function switchWith(data?: Record<string, string>, health: Partial<ReflectorHealth> = {}) {
  const store = createStore<ConfigMap>();
  const killSwitch = createKillSwitch({
    store,
    health: () => ({ ...HEALTHY, ...health }),
    namespace: "rollback-system",
    configMap: "rollback-kill-switch",
    key: "stop",
    clock: { now: () => NOW },
  });
  const put = (content: Record<string, string> | undefined, resourceVersion: string) =>
    store.upsert({
      metadata: { namespace: "rollback-system", name: "rollback-kill-switch", uid: "u", resourceVersion },
      data: content,
    } as ConfigMap);
  if (data !== undefined) put(data, "1");
  return { killSwitch, put };
}

describe("the kill switch", () => {
  it.each([
    [undefined, "Off"],
    [{}, "On"],
    [{ other: "true" }, "On"],
    [{ stop: "" }, "On"],
    [{ stop: "False" }, "Off"],
    [{ stop: "false" }, "Off"],
    [{ stop: "true" }, "On"],
    [{ stop: " true\n" }, "On"],
    // Whoever writes something there wants a stop.
    [{ stop: "yes" }, "On"],
    [{ stop: "True" }, "On"],
  ])("%j is %s", (data, kind) => {
    expect(switchWith(data).killSwitch.state().kind).toBe(kind);
  });

  it("says how to turn it off", () => {
    expect(switchWith({ stop: "true" }).killSwitch.state()).toMatchObject({
      message: expect.stringMatching(
        /key "stop" of ConfigMap rollback-system\/rollback-kill-switch is "true"\): remove it/,
      ),
    });
  });

  it("cannot be read before its first list, and when its server fails for minutes", () => {
    const lastError = { message: "refused", code: 0, at: NOW - 1_000 };
    expect(switchWith({}, { synced: false }).killSwitch.state().kind).toBe("Unreadable");
    expect(switchWith({}, { lastContact: NOW - 180_001, lastError }).killSwitch.state().kind).toBe(
      "Unreadable",
    );
    expect(switchWith(undefined, { lastContact: NOW - 179_000, lastError }).killSwitch.state().kind).toBe(
      "Off",
    );
    expect(switchWith({}, { lastContact: undefined, lastError }).killSwitch.state().kind).toBe("Unreadable");
  });

  it("calls back when it moves, until it is told to stop", () => {
    const { killSwitch, put } = switchWith();
    let calls = 0;
    const stop = killSwitch.onChange(() => (calls += 1));
    put({ stop: "true" }, "2");
    stop();
    put({ stop: "false" }, "3");
    expect(calls).toBe(1);
  });
});
