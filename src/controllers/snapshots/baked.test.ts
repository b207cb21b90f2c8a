import { describe, expect, it } from "@jest/globals";
import { bakingOf } from "./baked.ts";

const NOW = Date.parse("2026-11-22T10:00:00Z");
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();
const LIVE = { since: ago(700) };
const RELEASE = { revision: 1, replicaSetUid: "u", podTemplateHash: "h", knownGoodSince: ago(5_000) };
const READY = [
  { type: "Ready", status: "True", reason: "r", message: "", lastTransitionTime: ago(9) },
] as const;
const STATUS = {
  conditions: [...READY],
  release: RELEASE,
  signals: [{ name: "a", state: "Ok", since: ago(800) } as const],
};

describe("a content is known good", () => {
  it("when it was live as long as a release bakes, with every signal Ok", () => {
    expect(bakingOf(LIVE, STATUS, 600_000, NOW)).toEqual({ kind: "Baked" });
  });

  it("not before the youngest of content and signals is old enough", () => {
    expect(bakingOf({ since: ago(100) }, STATUS, 600_000, NOW)).toEqual({
      kind: "NotBefore",
      at: NOW + 500_000,
    });
    const young = {
      ...STATUS,
      signals: [...STATUS.signals, { name: "b", state: "Ok", since: ago(50) } as const],
    };
    expect(bakingOf(LIVE, young, 600_000, NOW)).toEqual({ kind: "NotBefore", at: NOW + 550_000 });
  });

  it.each([
    ["a signal breaches", { ...STATUS, signals: [{ name: "a", state: "Breach", since: ago(800) } as const] }],
    [
      "there is too little traffic",
      { ...STATUS, signals: [{ name: "a", state: "InsufficientTraffic", since: ago(800) } as const] },
    ],
    ["no signal was measured", { ...STATUS, signals: [] }],
    ["the release is not known good", { ...STATUS, release: { ...RELEASE, knownGoodSince: undefined } }],
    ["the policy is not Ready", { ...STATUS, conditions: [] }],
    ["nothing is known", undefined],
  ])("never while %s", (_, status) => {
    expect(bakingOf(LIVE, status, 600_000, NOW)).toEqual({ kind: "NotNow" });
  });
});
