import type { HttpCheck } from "../../crds/pod-checks.ts";
import type { Body } from "../pod-answer.ts";
import { snippet } from "../snippet.ts";
import { valueAt } from "./json-pointer.ts";

type Expectation = HttpCheck["expect"];

export type Judgement =
  | { readonly kind: "Good" }
  | { readonly kind: "Bad"; readonly why: string }
  /** Too little was read to tell. */
  | { readonly kind: "Unclear"; readonly why: string };

const GOOD: Judgement = { kind: "Good" };

/** Whether an application's answer is the expected one. Pure. */
export function judgeAnswer(expect: Expectation, code: number, body: Body): Judgement {
  if (!expect.status.includes(code)) {
    const redirect = code >= 300 && code < 400 ? " (redirects are not followed)" : "";
    return bad(`${code}${redirect}, expected ${expect.status.join(" or ")}`);
  }
  const results = [judgeText(expect.body, body), judgeJson(expect.json, body)];
  return results.find(({ kind }) => kind === "Bad") ?? results.find(({ kind }) => kind === "Unclear") ?? GOOD;
}

function judgeText(expected: Expectation["body"], body: Body): Judgement {
  if (expected === undefined) return GOOD;
  // What was expected is far shorter than what is read: a body that was cut cannot be it.
  const text = withoutLastBreaks(body.text);
  if (text === withoutLastBreaks(expected.equals) && body.end === "Whole") return GOOD;
  return bad(`body ${snippet(text)}, expected ${snippet(expected.equals)}`);
}

function judgeJson(expected: Expectation["json"], body: Body): Judgement {
  if (expected === undefined) return GOOD;
  if (body.end === "Cut")
    return { kind: "Unclear", why: "the body is longer than 64 KiB: its JSON was not read" };
  let json: unknown;
  try {
    json = JSON.parse(body.text);
  } catch {
    return bad(`body ${snippet(body.text)} is not JSON`);
  }
  const found = valueAt(json, expected.pointer);
  const where = expected.pointer === "" ? "the whole body" : expected.pointer;
  if (found === undefined)
    return bad(`nothing at ${where} of the JSON body, expected ${snippet(expected.equals)}`);
  const text = typeof found === "string" ? found : JSON.stringify(found);
  return text === expected.equals
    ? GOOD
    : bad(`${where} is ${snippet(text)}, expected ${snippet(expected.equals)}`);
}

function withoutLastBreaks(text: string): string {
  return text.replace(/[\r\n]+$/, "");
}

function bad(why: string): Judgement {
  return { kind: "Bad", why };
}
