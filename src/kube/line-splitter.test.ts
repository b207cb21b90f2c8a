import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createLineSplitter, LineTooLongError } from "./line-splitter.ts";

const lineArbitrary = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", ""));

describe("line splitter", () => {
  it("gives the same lines however the bytes are cut, characters in half included", () => {
    fc.assert(
      fc.property(
        fc.array(lineArbitrary, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 40 }),
        (lines, sizes) => {
          const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
          const splitter = createLineSplitter();
          const seen: string[] = [];
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = sizes[i % sizes.length]!;
            seen.push(...splitter.push(bytes.subarray(at, at + size)));
            at += size;
          }
          expect(seen).toEqual(lines);
        },
      ),
    );
  });

  it("never returns a torn last line", () => {
    expect(createLineSplitter().push(Buffer.from("one\ntwo"))).toEqual(["one"]);
  });

  it("does not keep hold of the reader's buffer", () => {
    const splitter = createLineSplitter();
    const buffer = Buffer.from("ab");
    splitter.push(buffer);
    buffer.fill("x");
    expect(splitter.push(Buffer.from("c\n"))).toEqual(["abc"]);
  });

  it("refuses a line over the limit, and bytes that are not UTF-8", () => {
    expect(() => createLineSplitter(4).push(Buffer.from("12345"))).toThrow(LineTooLongError);
    expect(() => createLineSplitter().push(Buffer.from([0xff, 0x0a]))).toThrow(/not valid/);
  });
});
