import { partName } from "./parts.ts";

/** How a value ends that was too long for a name. */
const CUT = /^.{100}\.{3}[0-9a-f]{12}$/su;

/** The label values behind the name of a part; undefined where the name does not hold them, as of a value that was cut. */
export function labelsOfPart(
  by: readonly string[],
  part: string,
): Readonly<Record<string, string>> | undefined {
  const labels: Record<string, string> = {};
  let rest = part;
  for (const label of by) {
    if (!rest.startsWith(`${label}=`)) return undefined;
    rest = rest.slice(label.length + 1);
    const text = /^(?:"(?:[^"\\]|\\.)*"|[^",]*)/u.exec(rest)?.[0] ?? "";
    const value = text.startsWith('"') ? unquoted(text) : text;
    if (CUT.test(value)) return undefined;
    labels[label] = value;
    rest = rest.slice(text.length).replace(/^, /, "");
  }
  return rest === "" && partName(by, labels) === part ? labels : undefined;
}

function unquoted(text: string): string {
  const value: unknown = JSON.parse(text);
  return typeof value === "string" ? value : "";
}
