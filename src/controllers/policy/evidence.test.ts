import { describe, expect, it } from "@jest/globals";
import type { ActingDecision } from "../../decision/decide.ts";
import type { CompiledPolicy } from "./compile.ts";
import { currentEvidence, gatherEvidence } from "./evidence.ts";
import type { PolicyRuntime } from "./runtime.ts";
import type { TargetView } from "./target.ts";

const NOW = Date.UTC(2026, 10, 22, 14, 5);
const view = { live: { uid: "rs-7", revision: 7 }, revisions: [] } as unknown as TargetView;

function policy(asked: string[]): CompiledPolicy {
  const evidence = async ({ part }: { part: string }) => {
    asked.push(part);
    return {};
  };
  return {
    view: { intervalMs: 15_000 },
    podLabel: "pod",
    signals: [{ name: "errors", source: { evidence } }],
  } as unknown as CompiledPolicy;
}

function breach(part: string): ActingDecision {
  return {
    row: { name: "row", signal: "errors" },
    part,
    onset: NOW - 1,
    release: {},
  } as unknown as ActingDecision;
}

function runtimeOf(parts: readonly string[]): PolicyRuntime {
  const evaluations = parts.map((part) => ({ row: { name: "row" }, part, window: { onset: NOW - 1 } }));
  return { evidence: new Map(), evaluations } as unknown as PolicyRuntime;
}

describe("gatherEvidence", () => {
  const { signal } = new AbortController();

  it("looks into the first label values only when many breach, and lets the others not act", async () => {
    const parts = Array.from({ length: 30 }, (_, i) => `route=/${i}`);
    const [asked, runtime] = [[] as string[], runtimeOf(parts)];
    const compiled = policy(asked);
    for (const part of parts) await gatherEvidence(runtime, compiled, view, [breach(part)], NOW, signal);
    expect(asked).toEqual(parts.slice(0, 8));
    const known = [...currentEvidence(runtime, compiled, view, NOW).values()];
    expect(known).toHaveLength(30);
    expect(known.filter(({ failed }) => failed !== undefined)).toHaveLength(22);
  });

  it("forgets what no longer speaks of now", async () => {
    const [asked, runtime] = [[] as string[], runtimeOf([])];
    for (let minute = 0; minute < 100; minute += 1) {
      const now = NOW + minute * 60_000;
      await gatherEvidence(runtime, policy(asked), view, [breach(`route=/${minute}`)], now, signal);
    }
    expect(asked).toHaveLength(100);
    expect(runtime.evidence.size).toBe(1);
  });
});
