import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { classifyForm, classifyFree } from "./classify.ts";
import { partName } from "./parts.ts";
import { buildSignalQuery, type SignalQuery, type SignalSpec } from "./signal-query.ts";

const SERVER = { name: "main", url: "http://x", timeoutMs: 1, scrapeIntervalMs: 1_000 };

function query(prometheus: Partial<SignalSpec["prometheus"]>): SignalQuery {
  const built = buildSignalQuery(
    { name: "s", prometheus: { minimumRequests: 10, ...prometheus } },
    SERVER,
    "shop",
  );
  if (built.kind === "Refused") throw new Error(built.message);
  return built.value;
}

function element(labels: Readonly<Record<string, string>>, value: number) {
  return { labels, at: 100_000, value };
}

describe("the name of a part", () => {
  it.each([
    [["route"], { route: "/models" }, "route=/models"],
    [["method", "route"], { route: "/models", method: "GET" }, "method=GET, route=/models"],
    [["method", "route"], { route: "/a, method=b" }, 'method=, route="/a, method=b"'],
    [["route"], { route: 'say "hi"\n' }, 'route="say \\"hi\\"\\n"'],
  ])("by %j of %j is %s", (by, labels, name) => {
    expect(partName(by, labels)).toBe(name);
  });

  it("differs where the values differ, is one line, and is short", () => {
    const value = fc.oneof(
      fc.constantFrom("", "a", 'a, b="', '"a"', "a=", ", b=", "a\nb"),
      fc.string({ maxLength: 400 }),
    );
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const [one, two] = [partName(["a", "b"], { a, b }), partName(["a", "b"], { a: c, b: d })];
        expect(one === two).toBe(a === c && b === d);
        expect(one).not.toMatch(/\n/);
        expect(one.length).toBeLessThan(1_500);
      }),
    );
  });
});

describe("a ratio by route", () => {
  const ratio = query({ ratio: { bad: 'r{code="500"}', total: "r", window: "10s", by: ["route"] } });
  const read = (
    bad: Readonly<Record<string, number>>,
    total: Readonly<Record<string, number>>,
    doubt?: string,
  ) => {
    const of = (values: Readonly<Record<string, number>>) =>
      Object.entries(values).map(([route, value]) => element({ route }, value));
    return ratio.kind === "ratio" ? classifyForm(ratio, of(bad), of(total), doubt) : undefined;
  };

  it("judges each route by its own traffic; one without bad requests is at 0", () => {
    expect(read({ "/a": 1 }, { "/a": 10, "/b": 10, "/c": 0.1 })).toEqual({
      kind: "Split",
      parts: new Map<string, unknown>([
        ["route=/a", { kind: "Value", value: 0.1, requests: 100 }],
        ["route=/b", { kind: "Value", value: 0, requests: 100, note: expect.stringContaining("read as 0") }],
        ["route=/c", expect.objectContaining({ kind: "InsufficientTraffic" })],
      ]),
    });
  });

  it("is Unproven where no route has bad requests and their label never occurs", () => {
    expect(read({}, { "/a": 10 }, "no label")).toEqual({
      kind: "Split",
      parts: new Map([["route=/a", { kind: "Unproven", detail: "no label" }]]),
    });
    // Bad requests of one route show that the label is there.
    expect(read({ "/b": 1 }, { "/a": 10, "/b": 10 }, "no label")).toEqual(
      read({ "/b": 1 }, { "/a": 10, "/b": 10 }),
    );
  });

  it("keeps the 200 routes with most requests, and says how many it left out", () => {
    const total = Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`/${index}`, index + 1]));
    const reading = read({}, total);
    expect(reading?.kind === "Split" && [...reading.parts.keys()].toSorted()).toEqual(
      Array.from({ length: 200 }, (_, index) => `route=/${index + 50}`).toSorted(),
    );
    expect(reading).toMatchObject({
      note: "50 label values are left out: at most 200 are judged, those with most requests",
    });
  });

  it("without any series has no part", () => {
    expect(read({}, {})).toEqual({ kind: "Split", parts: new Map() });
  });
});

describe("a free query by queue", () => {
  const free = query({ query: "max by (queue) (age) + max(base)", by: ["queue"] });
  const read = (
    value: readonly ReturnType<typeof element>[],
    newest: readonly ReturnType<typeof element>[],
  ) => (free.kind === "query" ? classifyFree(free, value, newest, 100_000) : undefined);
  const queue = (name: string, value: number) => element({ queue: name }, value);

  it("judges each queue by the freshness of its own series, and of those behind all", () => {
    const values = [queue("a", 7), queue("b", 8), queue("c", Number.NaN), queue("d", 1), queue("d", 2)];
    const fresh = [queue("a", 99), queue("b", 90), queue("c", 99), queue("d", 99)];
    const base = { ...element({ __selector__: "2" }, 99) };
    const kinds = (reading: ReturnType<typeof read>) =>
      reading?.kind === "Split" ? [...reading.parts].map(([part, { kind }]) => `${part} ${kind}`) : [];
    expect(kinds(read(values, [...fresh, base]))).toEqual([
      "queue=a Value",
      "queue=b Stale",
      "queue=c NaN",
      "queue=d Ambiguous",
    ]);
    expect(kinds(read([queue("a", 7), queue("x", 7)], [...fresh, { ...base, value: 90 }]))).toEqual([
      "queue=a Stale",
      "queue=x Stale",
    ]);
  });
});
