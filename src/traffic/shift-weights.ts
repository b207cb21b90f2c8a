/** Whose requests an entry of a rule's weighted list gets. */
export type Role = "canary" | "stable" | "other";

/** An entry's weight as it counts: defaults are filled in. */
export interface Share {
  readonly role: Role;
  readonly weight: number;
}

/**
 * Gives what the canary's entries get to the stable one; without any, to the first of the canary's, which becomes
 * `stable`. All others keep their part of the whole. Entries stay where they are: weight 0 is no traffic. Pure.
 */
export function shiftWeights(shares: readonly Share[], maxWeight: number): readonly Share[] {
  const moved = shares
    .filter(({ role }) => role === "canary")
    .reduce((total, { weight }) => total + weight, 0);
  if (moved === 0) return shares;
  const heir = heirOf(shares);
  const shifted = shares.map((share, index): Share => {
    if (index === heir)
      return { role: "stable", weight: moved + (share.role === "stable" ? share.weight : 0) };
    return share.role === "canary" && share.weight > 0 ? { ...share, weight: 0 } : share;
  });
  return withinBound(shifted, maxWeight);
}

function heirOf(shares: readonly Share[]): number {
  const serving = shares.findIndex(({ role, weight }) => role === "stable" && weight > 0);
  if (serving !== -1) return serving;
  const idle = shares.findIndex(({ role }) => role === "stable");
  return idle === -1 ? shares.findIndex(({ role, weight }) => role === "canary" && weight > 0) : idle;
}

/** The same parts of the whole, as near as whole numbers allow: who had some keeps some. */
function withinBound(shares: readonly Share[], maxWeight: number): readonly Share[] {
  const greatest = Math.max(...shares.map(({ weight }) => weight));
  if (greatest <= maxWeight) return shares;
  return shares.map((share) => ({
    ...share,
    weight: share.weight === 0 ? 0 : Math.max(1, Math.round((share.weight / greatest) * maxWeight)),
  }));
}
