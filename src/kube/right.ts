/** A right in RBAC's words. */
export interface Right {
  readonly apiGroup: string;
  /** With its subresource where it has one, as RBAC writes it: `pods/proxy`. */
  readonly resource: string;
  readonly verb: string;
  /** Restricts the right to one object; absent for lists. */
  readonly name?: string;
}
