import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { SEATS_PER_ROW, Seats } from "./seats.ts";

describe("Seats", () => {
  it("fill row after row, and a seat that was given up is the next one taken", () => {
    const seats = new Seats();
    const taken = Array.from({ length: 2 * SEATS_PER_ROW }, (_, index) => seats.take(`p${index}`, "a"));
    expect(new Set(taken.map(({ row }) => row))).toEqual(new Set(["a 0", "a 1"]));
    expect(seats.take("next", "a").row).toBe("a 2");
    taken[3]?.leave();
    expect(seats.take("new", "a").row).toBe("a 0");
    expect(seats.take("newer", "a").row).toBe("a 2");
    expect(seats.take("other", "b").row).toBe("b 0");
  });

  it("are one for each policy, whatever its signals are, until all have left it", () => {
    const seats = new Seats();
    const [first, second] = [seats.take("p", "a"), seats.take("p", "b")];
    expect(second.row).toBe(first.row);
    first.leave();
    first.leave();
    expect(seats.take("p", "b").row).toBe("a 0");
    second.leave();
    expect(seats.take("p", "b").row).toBe("a 0");
  });

  it("never move anybody, and never hold more than fit", () => {
    const steps = fc.array(fc.record({ owner: fc.nat({ max: 1_200 }), leaves: fc.boolean() }), {
      minLength: 800,
      maxLength: 1_500,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const seats = new Seats();
        const held = new Map<number, ReturnType<Seats["take"]>>();
        for (const { owner, leaves } of list) {
          if (leaves) {
            held.get(owner)?.leave();
            held.delete(owner);
          } else if (!held.has(owner)) {
            held.set(owner, seats.take(String(owner), "a"));
          }
        }
        const rows = Map.groupBy(held.values(), ({ row }) => row);
        for (const sitting of rows.values()) expect(sitting.length).toBeLessThanOrEqual(SEATS_PER_ROW);
        for (const [owner, { row }] of held) expect(seats.take(String(owner), "a").row).toBe(row);
      }),
      { numRuns: 20 },
    );
  });
});
