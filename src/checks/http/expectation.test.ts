import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { judgeAnswer } from "./expectation.ts";
import { valueAt } from "./json-pointer.ts";

const whole = (text: string) => ({ text, end: "Whole" }) as const;
const HEALTHY = { status: [200], json: { pointer: "/status", equals: "healthy" } };
const OK = { status: [200], body: { equals: "OK" } };

describe("an answer", () => {
  it.each([
    ["the right status", { status: [200, 204] }, 204, "", "Good"],
    ["another status", { status: [200] }, 503, "", "503, expected 200"],
    ["one of several", { status: [200, 204] }, 500, "", "500, expected 200 or 204"],
    ["a redirect", { status: [200] }, 302, "", "302 (redirects are not followed), expected 200"],
    ["the body", OK, 200, "OK", "Good"],
    ["the body and a line break", OK, 200, "OK\r\n", "Good"],
    ["more than the body", OK, 200, "OK, nearly", 'body "OK, nearly", expected "OK"'],
    ["the right body with the wrong status", OK, 500, "OK", "500, expected 200"],
    ["the value", HEALTHY, 200, '{"status":"healthy"}', "Good"],
    ["another value", HEALTHY, 200, '{"status":"ill"}', '/status is "ill", expected "healthy"'],
    [
      "no value",
      HEALTHY,
      200,
      '{"state":"healthy"}',
      'nothing at /status of the JSON body, expected "healthy"',
    ],
    ["no JSON", HEALTHY, 200, "<html>", 'body "<html>" is not JSON'],
    ["a number", { status: [200], json: { pointer: "/n/0", equals: "1.5" } }, 200, '{"n":[1.5]}', "Good"],
    ["a boolean", { status: [200], json: { pointer: "", equals: "true" } }, 200, "true", "Good"],
    [
      "null is not nothing",
      { status: [200], json: { pointer: "/a", equals: "null" } },
      200,
      '{"a":null}',
      "Good",
    ],
  ] as const)("with %s", (_, expectation, code, text, result) => {
    const spec = { ...expectation, status: [...expectation.status] };
    const judgement = judgeAnswer(spec, code, whole(text));

    expect(judgement.kind === "Good" ? "Good" : judgement.why).toBe(result);
  });

  it("that was cut is not the short text that was expected, and its JSON is unknown", () => {
    const cut = { text: '{"status":"healthy"}', end: "Cut" } as const;

    expect(judgeAnswer(OK, 200, { ...cut, text: "OK" }).kind).toBe("Bad");
    expect(judgeAnswer(HEALTHY, 200, cut).kind).toBe("Unclear");
  });
});

describe("a JSON pointer", () => {
  // RFC 6901, section 5.
  const document = { foo: ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7 };
  it.each([
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/ ", 7],
    ["/m~0n", 8],
    ["/foo/-", undefined],
    ["/foo/01", undefined],
    ["/foo/2", undefined],
    ["/constructor", undefined],
    ["/foo/length", undefined],
  ])("%j finds what it names", (pointer, value) => {
    expect(valueAt(document, pointer)).toEqual(value);
  });

  it("finds every member of every object by its escaped name", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const json = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
        for (const [key, value] of Object.entries(json)) {
          expect(valueAt(json, `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`)).toEqual(value);
        }
      }),
    );
  });
});
