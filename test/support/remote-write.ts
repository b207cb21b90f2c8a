/** Writes series into a real Prometheus at once: no scrape to wait for, and any time within the last hour or to come. */

export interface WrittenSeries {
  /** With `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Oldest first; `at` in ms since the epoch. */
  readonly samples?: readonly { readonly at: number; readonly value: number }[];
  readonly histograms?: readonly NativeHistogram[];
}

/** A native histogram of schema 0: bucket `i` of `buckets` holds what lies between 2^(i-1) and 2^i. */
export interface NativeHistogram {
  readonly at: number;
  readonly sum: number;
  readonly buckets: readonly number[];
}

const SERIES_PER_WRITE = 2_000;

/** The server needs `--web.enable-remote-write-receiver`; for histograms also `--enable-feature=native-histograms`. */
export async function remoteWrite(url: string, series: readonly WrittenSeries[]): Promise<void> {
  for (let from = 0; from < series.length; from += SERIES_PER_WRITE) {
    const request = Buffer.concat(
      series.slice(from, from + SERIES_PER_WRITE).map((each) => field(1, timeSeries(each))),
    );
    const response = await fetch(`${url}/api/v1/write`, {
      method: "POST",
      headers: {
        "content-type": "application/x-protobuf",
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": "0.1.0",
      },
      body: uncompressedSnappy(request),
    });
    if (!response.ok) throw new Error(`remote write: HTTP ${response.status}: ${await response.text()}`);
  }
}

// prompb.WriteRequest, by the field numbers of prompb/types.proto.

function timeSeries({ labels, samples = [], histograms = [] }: WrittenSeries): Buffer {
  const names = Object.keys(labels).toSorted();
  return Buffer.concat([
    ...names.map((name) =>
      field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(labels[name] ?? ""))])),
    ),
    ...samples.map(({ at, value }) => field(2, Buffer.concat([double(1, value), integer(2, BigInt(at))]))),
    ...histograms.map((each) => field(4, histogram(each))),
  ]);
}

function histogram({ at, sum, buckets }: NativeHistogram): Buffer {
  const deltas = buckets.map((count, index) => count - (buckets[index - 1] ?? 0));
  const total = buckets.reduce((count, each) => count + each, 0);
  return Buffer.concat([
    integer(1, BigInt(total)),
    double(3, sum),
    integer(4, zigzag(0)),
    double(5, 1e-128),
    integer(6, 0n),
    field(11, Buffer.concat([integer(1, zigzag(0)), integer(2, BigInt(buckets.length))])),
    field(12, Buffer.concat(deltas.map((delta) => varint(zigzag(delta))))),
    integer(15, BigInt(at)),
  ]);
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(BigInt((number << 3) | 2)), varint(BigInt(content.length)), content]);
}

function integer(number: number, value: bigint): Buffer {
  return Buffer.concat([varint(BigInt(number << 3)), varint(value)]);
}

function double(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint(BigInt((number << 3) | 1)), bytes]);
}

function zigzag(value: number): bigint {
  return value < 0 ? BigInt(-value) * 2n - 1n : BigInt(value) * 2n;
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest > 127n;
    bytes.push(Number(rest & 127n) | (more ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** Snappy's block format allows one literal for all of it. */
function uncompressedSnappy(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(content.length - 1);
  return Buffer.concat([varint(BigInt(content.length)), Buffer.from([63 << 2]), length, content]);
}
