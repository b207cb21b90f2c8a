import { cutText } from "../kube/conditions.ts";

/** How much of a foreign text is shown at most, characters. */
const LONGEST = 100;

/** The beginning of a foreign text in quotes, printable characters only: what an application says ends up in a status. */
export function snippet(text: string): string {
  const clean = text
    .slice(0, 4 * LONGEST)
    .replaceAll(/[^\P{C}\n\r\t]/gu, "")
    .replaceAll(/[^\x20-\x7e\p{L}\p{N}\p{P}\p{S}]+/gu, " ")
    .trim();
  return `"${cutText(clean, LONGEST)}"`;
}
