import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { Cells } from "./cells.ts";
import type { Part } from "./divide.ts";
import { failed } from "./testing/model-server.ts";

type Members = readonly number[];

const ok = (...members: Members): Part<number, true> => ({ members, answer: { kind: "Ok", value: true } });
const bad = (...members: Members): Part<number, true> => ({ members, answer: failed("BadData") });
const large = (...members: Members): Part<number, true> => ({ members, answer: failed("TooLarge") });

function cellsOf(...members: Members): Cells<number> {
  const cells = new Cells<number>();
  for (const member of members) cells.add(member);
  return cells;
}

function together(cells: Cells<number>): readonly Members[] {
  return cells.together().map((cell) => [...cell].toSorted((a, b) => a - b));
}

function settle(cells: Cells<number>, ...parts: readonly Part<number, true>[]): void {
  const [cell] = cells.together();
  if (cell !== undefined) cells.settle(cell, parts, 0);
}

describe("Cells", () => {
  it("put who is to blame apart, and leave the others together", () => {
    const cells = cellsOf(1, 2, 3, 4);
    settle(cells, ok(1, 2), bad(3), ok(4));
    expect(together(cells)).toEqual([[1, 2, 4]]);
    expect(cells.apart(29_999)).toEqual([[3, expect.objectContaining({ kind: "BadData" })]]);
    expect(cells.apart(30_000)).toEqual([[3, undefined]]);
    cells.settleApart(3, ok(3), 30_000);
    expect(together(cells)).toEqual([[1, 2, 3, 4]]);
  });

  it("stay divided where nobody is to blame, and where the search has not ended", () => {
    const cells = cellsOf(1, 2, 3, 4);
    settle(cells, ok(1, 2), ok(3, 4));
    expect(together(cells)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const open = cellsOf(1, 2, 3, 4, 5);
    settle(open, ok(1), bad(2), large(3, 4), ok(5));
    expect(together(open)).toEqual([
      [1, 5],
      [3, 4],
    ]);
  });

  it("learn nothing from a server in trouble", () => {
    const cells = cellsOf(1, 2, 3);
    settle(cells, ok(1), bad(2), { members: [3], answer: failed("Timeout") });
    expect(together(cells)).toEqual([[1, 2, 3]]);
    expect(cells.apart(0)).toEqual([]);
  });

  it("hold everybody exactly once, whoever comes and goes while a question is under way", () => {
    const kinds = fc.constantFrom(ok, bad, large);
    const step = fc.record({
      joins: fc.uniqueArray(fc.nat({ max: 30 }), { maxLength: 4 }),
      leaves: fc.array(fc.nat({ max: 30 }), { maxLength: 4 }),
      parts: fc.array(fc.tuple(kinds, fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 5 }),
      cell: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const cells = new Cells<number>();
        const present = new Set<number>();
        for (const [at, { joins, leaves, parts, cell }] of steps.entries()) {
          const all = cells.together();
          const asked = all[cell % Math.max(1, all.length)];
          const members = [...(asked ?? [])];
          for (const member of joins.filter((each) => !present.has(each))) {
            present.add(member);
            cells.add(member);
          }
          for (const member of leaves) {
            present.delete(member);
            cells.remove(member);
          }
          const outcome = parts.map(([make, count]) => make(...members.splice(0, count)));
          if (asked !== undefined) cells.settle(asked, [...outcome, ok(...members)], at * 10_000);
          for (const [member, error] of cells.apart(at * 10_000)) {
            if (error === undefined)
              cells.settleApart(member, at % 2 === 0 ? ok(member) : bad(member), at * 10_000);
          }
          const held = [
            ...cells.together().flatMap((each) => [...each]),
            ...cells.apart(0).map(([member]) => member),
          ];
          expect(held.toSorted((a, b) => a - b)).toEqual([...present].toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 300 },
    );
  });
});
