import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { classify } from "./pod-answer.ts";
import { snippet } from "./snippet.ts";

const THROUGH_API_SERVER = { "audit-id": "5f0c" };

function answer(code: number, body: string, headers: Record<string, string> = THROUGH_API_SERVER) {
  return { code, headers, body: Buffer.from(body), elapsedMs: 3, end: "Whole" } as const;
}

const refusal = JSON.stringify({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  message: "error trying to reach service: connection refused",
  code: 503,
});

describe("who answered", () => {
  it("the application, with whatever status and text", () => {
    expect(classify(answer(503, "out of order"))).toEqual({
      kind: "Answered",
      code: 503,
      body: { text: "out of order", end: "Whole" },
      elapsedMs: 3,
    });
  });

  it.each([
    [
      "the API server's refusal",
      answer(503, refusal),
      "the API server says 503: error trying to reach service",
    ],
    ["an application that imitates it", answer(200, refusal), "the API server says 200: error trying"],
    ["a Status without a message", answer(404, '{"kind":"Status"}'), "the API server says 404: (no message)"],
    [
      "too many requests for somebody",
      answer(429, "Too many requests"),
      "429: the API server or the application",
    ],
    [
      "an API server in panic",
      answer(500, "This request caused apiserver to panic."),
      "the API server says 500",
    ],
    ["a login page before the API server", answer(200, "<html>", {}), "something between the operator and"],
  ])("nobody knows: %s", (_, made, why) => {
    expect(classify(made)).toEqual({ kind: "Unclear", why: expect.stringContaining(why) });
  });

  it("a Status is never the application's word, whatever else is in it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 599 }),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (code, extra) => {
          const body = JSON.stringify({ ...extra, kind: "Status" });
          expect(classify(answer(code, body)).kind).toBe("Unclear");
        },
      ),
    );
  });
});

describe("a snippet of a foreign text", () => {
  it("is short, on one line and printable", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => {
        const shown = snippet(text);

        expect(shown.length).toBeLessThanOrEqual(102);
        expect(shown).not.toMatch(/[\p{C}\n\r]/u);
      }),
    );
    expect(snippet("one\r\n\ttwo\u0007 three\u202E")).toBe('"one two three"');
  });
});
