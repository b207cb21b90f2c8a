/** Labels that a Service wants of its pods. */
export type Selector = Readonly<Record<string, string>>;

/** Whether a Service with this selector has pods with these labels; without a selector it has none. */
export function selects(selector: Selector, labels: Selector | undefined): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}
