/** One thing that a plan changes, as it is now. */
export interface Part {
  readonly title: string;
  /** Whether the plan changes it at all; one that it only relies on is to stay as it is. */
  readonly changes: boolean;
  readonly state: PartState;
}

export type PartState =
  /** As before; `send` makes the one write, guarded by `test` operations. */
  | { readonly kind: "From"; readonly act: string; send(): Promise<unknown> }
  /** As planned. */
  | { readonly kind: "To" }
  /** Somebody else made something else of it. */
  | { readonly kind: "Foreign"; readonly message: string };

/** What the first part is that somebody else changed; undefined when there is none. */
export function foreignChange(parts: readonly Part[]): string | undefined {
  return parts.map(({ state }) => state).find((state) => state.kind === "Foreign")?.message;
}

/** For people: which parts are changed by now, where others are not. */
export function changedText(parts: readonly Part[]): string {
  const titles = parts
    .filter(({ changes, state }) => changes && state.kind === "To")
    .map(({ title }) => title);
  return titles.length === 0 ? "" : `; what this step changed stays: ${titles.join(", ")}`;
}

/** The first part that is still to be changed. */
export function firstOpen(parts: readonly Part[]): Extract<PartState, { kind: "From" }> | undefined {
  return parts.map(({ state }) => state).find((state) => state.kind === "From");
}
