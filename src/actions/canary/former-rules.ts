import { z } from "zod";
import { GROUP } from "../../crds/common.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { PlacedRule } from "../../traffic/rewrite.ts";

/**
 * Annotation of a route that holds the rules which a canary step took away, and when: the way back, stored by the very
 * write that makes it necessary. It is believed only where the rules it gives have the planned digest.
 */
export const FORMER_RULES = `${GROUP}/former-rules`;

/** The API server allows 256 KiB for all annotations of an object together. */
const LONGEST = 200 * 1_024;

const FormerRules = z.object({
  at: z.iso.datetime(),
  rules: z.array(
    z.object({ list: z.string(), index: z.int().min(0), rule: z.record(z.string(), z.unknown()) }),
  ),
});

export interface FormerRules {
  /** RFC 3339: when they were replaced. */
  readonly at: string;
  readonly rules: readonly PlacedRule[];
}

/** Undefined where there are none, or where somebody wrote something else there. */
export function readFormerRules({ metadata }: Pick<KubeObject, "metadata">): FormerRules | undefined {
  const text = metadata.annotations?.[FORMER_RULES];
  if (text === undefined) return undefined;
  try {
    return FormerRules.parse(JSON.parse(text));
  } catch {
    // Anybody may write the annotations of a route: what cannot be read is no record, and said so where one is needed.
    return undefined;
  }
}

export function formerRulesText(former: FormerRules): string {
  return JSON.stringify(former);
}

/** Whether the rules are more than what an annotation can hold. */
export function isTooLong(former: FormerRules): boolean {
  return Buffer.byteLength(formerRulesText(former)) > LONGEST;
}
