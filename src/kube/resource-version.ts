/**
 * Order of two resourceVersions of one kind: negative, zero or positive. Undefined when one is not a number, as
 * aggregated APIs may have it. Comparing is sanctioned since Kubernetes 1.35 (KEP-5504) and held before.
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (!isNumber(a) || !isNumber(b)) return undefined;
  // They may exceed 2^53: longer is larger, equal lengths compare as text.
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

function isNumber(version: string): boolean {
  return /^(0|[1-9]\d*)$/.test(version);
}
