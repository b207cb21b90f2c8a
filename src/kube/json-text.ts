/** Characters that Go's encoder writes as escapes in strings, and JSON.stringify does not. */
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g;

/**
 * JSON as the API server writes it itself. What it applies a JSON Patch to is such text, and `test` compares strings as
 * they are written there: a template with `a && b` in its arguments is equal to itself only when it is written alike.
 */
export function jsonText(value: unknown): string {
  // These characters stand in strings only, where an escape is the same character.
  return JSON.stringify(value).replace(
    ESCAPED_BY_GO,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
