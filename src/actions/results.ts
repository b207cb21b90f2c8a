/** Somebody else changed the object: fits plans, writes and looks. */
export function superseded(message: string): { readonly kind: "Superseded"; readonly message: string } {
  return { kind: "Superseded", message };
}
