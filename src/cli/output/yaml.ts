import { stringify } from "yaml";

/**
 * The value as YAML, long texts on one line. A module of its own, because a bundle in parts gives a dynamic import of a
 * CommonJS package no named exports.
 */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
