import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { T0 } from "../testing/pods.ts";
import { compareScans } from "./compare.ts";

const H = 3_600_000;
const DAY = 24 * H;

function live(ids: Readonly<Record<string, number | undefined>>, scannedAt = T0) {
  const vulnerabilities = Object.entries(ids).map(([id, publishedAt]) => ({ id, publishedAt }));
  return [{ scannedAt, vulnerabilities }];
}

const target = (ids: readonly string[], scannedAt = T0) => [{ scannedAt, ids: new Set(ids) }];

describe("vulnerabilities that are new", () => {
  it("are told by ID: the target may have more of them", () => {
    const found = compareScans(live({ "CVE-1": undefined, "CVE-2": undefined }), target(["CVE-1", "a", "b"]));
    expect(found).toEqual({ proven: ["CVE-2"], unproven: [] });
  });

  it.each<[string, number | undefined, number, "proven" | "unproven"]>([
    ["both scanned at once, published today", T0, 0, "proven"],
    ["published long before the target's scan", T0 - 400 * DAY, 10 * DAY, "proven"],
    ["published after the target's scan", T0 - DAY, 10 * DAY, "unproven"],
    ["published after the target's scan of yesterday", T0 - H, 2 * H, "unproven"],
    ["published just before the target's scan of yesterday", T0 - 3 * H, 2 * H, "proven"],
    ["published just before the target's scan of last week", T0 - 7 * DAY - H, 7 * DAY, "unproven"],
    ["nobody knows when, scans of one day", undefined, 25 * H, "proven"],
    ["nobody knows when, an old scan", undefined, 27 * H, "unproven"],
  ])("%s: %s", (_, publishedAt, ageMs, expected) => {
    const found = compareScans(live({ "CVE-1": publishedAt }), target([], T0 - ageMs));
    expect(found[expected]).toEqual(["CVE-1"]);
    expect(found[expected === "proven" ? "unproven" : "proven"]).toEqual([]);
  });

  it("are never among those that any of the target's images has", () => {
    const ids = fc.uniqueArray(
      fc.nat(30).map((n) => `CVE-${n}`),
      { maxLength: 15 },
    );
    fc.assert(
      fc.property(ids, ids, ids, fc.nat(40), (own, first, second, hours) => {
        const images = [...target(first, T0 - hours * H), ...target(second, T0 - hours * H)];
        const { proven, unproven } = compareScans(
          live(Object.fromEntries(own.map((id) => [id, undefined]))),
          images,
        );
        const missing = own.filter((id) => !first.includes(id) && !second.includes(id)).sort();
        expect([...proven, ...unproven].sort()).toEqual(missing);
      }),
    );
  });
});
