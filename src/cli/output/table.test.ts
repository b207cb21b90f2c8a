import { describe, expect, it } from "@jest/globals";
import { coloursOf, wantsColours } from "./colours.ts";
import { createOutput, type Sink } from "./output.ts";
import { labelled, table } from "./table.ts";

function sink(isTTY: boolean, columns = 80): Sink & { readonly written: () => string } {
  let text = "";
  return { isTTY, columns, write: (more) => (text += more), written: () => text };
}

describe("table", () => {
  it("prints upper-case headers and three spaces between columns", () => {
    expect(
      table(
        ["revision", "images"],
        [
          ["12", "web:v2"],
          ["9", "web:v1"],
        ],
      ),
    ).toEqual(["REVISION   IMAGES", "12         web:v2", "9          web:v1"]);
  });

  it("leaves no spaces at the end of a line", () => {
    expect(table(["a", "b"], [["x", ""]])).toEqual(["A   B", "x"]);
  });

  it("does not count colours as width", () => {
    const { good } = coloursOf(true);
    const [, coloured = "", plain = ""] = table(
      ["a", "b"],
      [
        [good("yes"), "1"],
        ["yes", "2"],
      ],
    );
    expect(coloured.indexOf("1") - plain.indexOf("2")).toBe(good("yes").length - "yes".length);
  });

  it("aligns labels", () => {
    expect(
      labelled(
        [
          ["why", "x"],
          ["", "y"],
        ],
        9,
      ),
    ).toEqual(["why      x", "         y"]);
  });
});

describe("colours", () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [true, { TERM: "dumb" }, false],
  ])("terminal %s with %j: %s", (isTerminal, env, wanted) => {
    expect(wantsColours(isTerminal, env)).toBe(wanted);
  });
});

describe("output", () => {
  it("lets no text of the cluster move the cursor", () => {
    const out = sink(true);
    createOutput(out, sink(true), {}).line("a\u001B[2Jb\nc\u202Ed \u001B[31mred\u001B[39m");
    expect(out.written()).toBe("a [2Jb c d \u001B[31mred\u001B[39m\n");
  });

  it("writes a moving line in place on a terminal, cut to its width", () => {
    const out = sink(true, 11);
    const output = createOutput(out, sink(true), {});
    output.replace("rolling 1/4", false);
    output.replace("rolling 2/4 and more", true);
    expect(out.written()).toBe("rolling 1…\n\u001B[1A\u001B[2Krolling 2…\n");
  });

  it("writes every state of a moving line elsewhere", () => {
    const out = sink(false);
    const output = createOutput(out, sink(false), {});
    output.replace("rolling 1/4", false);
    output.replace("rolling 2/4", true);
    expect(out.written()).toBe("rolling 1/4\nrolling 2/4\n");
  });
});
