/** One line a figure: `NAME VALUE UNIT (goal <= N)`. */
export function figure(name: string, value: number, unit: string, goal?: number): string {
  const number = value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return `${name} ${number} ${unit}${goal === undefined ? "" : ` (goal <= ${goal})`}`;
}

/** The value below which `share` of the sorted values lie; nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** MiB per hour, by least squares. */
export function slope(points: readonly { readonly hours: number; readonly mib: number }[]): number {
  const mean = (pick: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [x, y] = [mean(({ hours }) => hours), mean(({ mib }) => mib)];
  const covariance = mean(({ hours, mib }) => (hours - x) * (mib - y));
  return covariance / mean(({ hours }) => (hours - x) ** 2);
}
