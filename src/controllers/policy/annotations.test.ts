import { describe, expect, it } from "@jest/globals";
import { annotationProblems, FREEZE, frozenBy, HOTFIX_ETA, hotfixEta } from "./annotations.ts";

const object = (annotations?: Readonly<Record<string, string>>, kind = "RollbackPolicy") => ({
  kind,
  metadata: { name: "web", annotations },
});

describe("the freeze annotation", () => {
  it.each(["true", "True", "yes", "1", "", " true\n", "no"])("%j freezes", (value) => {
    expect(frozenBy([object({ [FREEZE]: value })])).toBe("RollbackPolicy/web");
  });

  it.each(["false", "False", " false\n"])("%j does not", (value) => {
    expect(frozenBy([object({ [FREEZE]: value })])).toBeUndefined();
  });

  it("is that of any of the objects", () => {
    expect(frozenBy([object(), object({})])).toBeUndefined();
    expect(frozenBy([object({ [FREEZE]: "false" }), object({ [FREEZE]: "true" }, "Deployment")])).toBe(
      "Deployment/web",
    );
  });
});

describe("the time of a hotfix", () => {
  it.each([
    ["2026-11-22T14:30:00Z", "2026-11-22T14:30:00.000Z"],
    ["2026-11-22T14:30:00.25Z", "2026-11-22T14:30:00.250Z"],
    ["2026-11-22T00:30:00+02:00", "2026-11-21T22:30:00.000Z"],
    ["2028-02-29T23:59:59-05:30", "2028-03-01T05:29:59.000Z"],
  ])("%s is %s", (text, expected) => {
    const objects = [object({ [HOTFIX_ETA]: text })];
    expect(new Date(hotfixEta(objects) ?? Number.NaN).toISOString()).toBe(expected);
    expect(annotationProblems(objects)).toEqual([]);
  });

  it.each([
    "",
    "soon 1",
    "5",
    "2026",
    "2026-11-22",
    "2026-11-22T14:30Z",
    "2026-11-22T14:30:00",
    "2026-11-22 14:30:00Z",
    "2026-11-22T24:00:00Z",
    "2026-11-22T14:30:60Z",
    "2026-11-22T14:30:00+99:00",
    "2026-13-01T14:30:00Z",
    "2026-02-30T14:30:00Z",
    "2026-02-29T14:30:00Z",
    "2026-00-10T14:30:00Z",
    " 2026-11-22T14:30:00Z",
    "2026-11-22T14:30:00Z\n",
    "Sun, 22 Nov 2026 14:30:00 GMT",
  ])("%j is none, and told", (text) => {
    const objects = [object(), object({ [HOTFIX_ETA]: text }, "Deployment")];
    expect(hotfixEta(objects)).toBeUndefined();
    expect(annotationProblems(objects)).toEqual([
      `annotation ${HOTFIX_ETA} of Deployment/web is no time such as 2026-11-22T14:30:00Z, and is ignored`,
    ]);
  });

  it("is the latest that somebody wrote", () => {
    const times = ["2026-11-22T14:30:00Z", "2026-11-22T15:00:00Z", "never"];
    expect(hotfixEta(times.map((time) => object({ [HOTFIX_ETA]: time })))).toBe(Date.UTC(2026, 10, 22, 15));
    expect(hotfixEta([object()])).toBeUndefined();
  });
});
