import type { LedgerDeath, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { boundDeaths, deathKey, mergeDeaths, type Death } from "./deaths.ts";

/** The ledger with these deaths, each of them once; the very same ledger where it has them all. Pure. */
export function recordDeaths(ledger: RollbackLedgerSpec, deaths: readonly Death[]): RollbackLedgerSpec {
  const known = deathsOf(ledger);
  const keys = new Set(known.map(deathKey));
  if (deaths.every((death) => keys.has(deathKey(death)))) return ledger;
  const bounded = boundDeaths(mergeDeaths(deaths, known));
  // What is too old to be kept is no news either.
  if (bounded.every((death) => keys.has(deathKey(death)))) return ledger;
  return { ...ledger, deaths: bounded.map(toLedger) };
}

export function deathsOf(ledger: Pick<RollbackLedgerSpec, "deaths"> | undefined): readonly Death[] {
  return (ledger?.deaths ?? []).map(({ at, podCreatedAt, ...death }) => ({
    ...death,
    at: Date.parse(at),
    podCreatedAt: Date.parse(podCreatedAt),
  }));
}

function toLedger({ at, podCreatedAt, ...death }: Death): LedgerDeath {
  return { ...death, at: wholeSecond(at), podCreatedAt: wholeSecond(podCreatedAt) };
}

/** As Kubernetes writes times. */
function wholeSecond(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
}
