import { stripVTControlCharacters } from "node:util";

const GAP = "   ";

/** Rows under upper-case headers, three spaces apart, as kubectl prints them. Colours do not count as width. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [headers.map((header) => header.toUpperCase()), ...rows];
  const widths = headers.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ""))));
  return all.map((row) => padded(row, widths));
}

/** Rows of a label, and what it labels in a column of its own. */
export function labelled(
  rows: readonly (readonly [label: string, text: string])[],
  width: number,
): readonly string[] {
  return rows.map(([label, text]) => padded([label, text], [width - GAP.length, 0]));
}

function padded(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
    .join(GAP)
    .trimEnd();
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
