import { posix } from "node:path";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { SmokeCheck } from "../crds/pod-checks.ts";
import { checkProbePath } from "./probe-path.ts";

function isTaken(path: string): boolean {
  try {
    checkProbePath(path);
    return true;
  } catch {
    return false;
  }
}

/** Every reading of a path by somebody who decodes it, as often as they like. */
function readings(path: string): readonly string[] {
  const all = [path];
  for (let now = path; all.length < 10;) {
    let next: string;
    try {
      next = decodeURIComponent(now);
    } catch {
      break;
    }
    if (next === now) break;
    all.push((now = next));
  }
  return all;
}

describe("a path that a pod is asked for", () => {
  it.each(["/", "/health", "/health/ready/", "/v1/models?limit=1&q=a%20b", "/a.b/..c/.well-known", "/x%20y"])(
    "%s is taken as it is",
    (path) => expect(checkProbePath(path)).toBe(path),
  );

  it.each([
    "",
    "health",
    "//host/path",
    "http://host/",
    "/a//b",
    "/..",
    "/../etc",
    "/a/./b",
    "/a/%2e%2E/b",
    "/a/.%2e?x=1",
    "/a/%252e%252e/b",
    "/a/%25252e%25252e/b",
    "/a%2f..%2fb",
    "/a%5C..",
    "/a\\..\\b",
    "/a#b",
    "/a b",
    "/a\r\nHost: b",
    "/a%0d%0ab",
    "/%zz",
    "/a%2",
    "/ä",
    `/${"a".repeat(256)}`,
  ])("%j is refused", (path) => {
    expect(() => checkProbePath(path)).toThrow(/^cannot get path /);
  });

  it("reads the same however often it is decoded, and never leads out of itself", () => {
    const part = fc.constantFrom(
      "/",
      "a",
      ".",
      "..",
      "%2e",
      "%2E",
      "%25",
      "%252e",
      "%2f",
      "%5c",
      "\\",
      "?",
      "@",
      "://",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = `/${parts.join("")}`;
        if (!isTaken(path)) return;
        for (const reading of readings(path.split("?")[0] ?? "")) {
          expect(posix.normalize(reading)).toBe(reading);
          expect(new URL(reading, "http://pod:80/").host).toBe("pod");
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("is taken by the schema of a smoke test just when it is taken here", () => {
    const piece = fc.constantFrom(
      "/",
      ".",
      "a",
      "-",
      "~",
      "%20",
      "%2e",
      "%2E",
      "%2f",
      "%5C",
      "%25",
      "%0a",
      "%7f",
      "?",
      "é",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const path = pieces.join("");

        expect(SmokeCheck.safeParse({ service: "web", requests: [path] }).success).toBe(isTaken(path));
      }),
      { numRuns: 5_000 },
    );
  });
});
