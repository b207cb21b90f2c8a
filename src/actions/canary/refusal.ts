/** Why a step cannot be planned. */
export interface Refusal {
  readonly kind: "Refused";
  readonly reason: string;
  readonly message: string;
}

export function refused(reason: string, message: string): Refusal {
  return { kind: "Refused", reason, message };
}

/** What a look before the act came to. */
export interface Findings {
  readonly refusal?: Refusal | undefined;
  readonly warnings: readonly string[];
}
