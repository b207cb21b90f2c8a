import { describe, expect, it } from "@jest/globals";
import { parseReleases } from "./past-release.ts";

const HOUR = 3_600_000;

describe("releases.json", () => {
  it("needs a revision and a start, and is put in order of time", () => {
    const releases = parseReleases(
      `[{"revision": 8, "startedAt": "2026-11-03T10:00:00+01:00", "image": "web:v2"},
        {"revision": 7, "startedAt": "2026-11-03T08:00:00Z"}]`,
      "releases.json",
    );
    expect(releases.map(({ revision, startedAt, image }) => ({ revision, startedAt, image }))).toEqual([
      { revision: 7, startedAt: Date.UTC(2026, 10, 3, 8), image: undefined },
      { revision: 8, startedAt: Date.UTC(2026, 10, 3, 9), image: "web:v2" },
    ]);
    expect(releases[0]).toMatchObject({ completedAt: releases[0]?.startedAt, isKnownGood: false });
  });

  it("two that begin in the same second are in the order of their numbers", () => {
    const releases = parseReleases(
      `[{"revision": 8, "startedAt": "2026-11-03T08:00:00Z"}, {"revision": 7, "startedAt": "2026-11-03T08:00:00Z"}]`,
      "releases.json",
    );
    expect(releases.map(({ revision }) => revision)).toEqual([7, 8]);
  });

  it("takes what tells more: a template deployed again is the same ReplicaSet", () => {
    const [first, second] = parseReleases(
      `[{"revision": 7, "startedAt": "2026-11-03T08:00:00Z", "podTemplateHash": "6d4f9", "knownGood": true},
        {"revision": 9, "startedAt": "2026-11-03T09:00:00Z", "podTemplateHash": "6d4f9",
         "completedAt": "2026-11-03T10:00:00Z", "rollbackBy": "web-undo"}]`,
      "releases.json",
    );
    expect(first).toMatchObject({ isKnownGood: true, podTemplateHash: "6d4f9" });
    expect(second?.replicaSetUid).toBe(first?.replicaSetUid);
    expect((second?.completedAt ?? 0) - (second?.startedAt ?? 0)).toBe(HOUR);
    expect(second?.productOfRollback).toEqual({ request: "web-undo" });
  });

  it.each([
    ["[", "releases.json is no JSON"],
    ["{}", "releases.json is no list of releases such as"],
    ['[{"revision": 7}]', "[0].startedAt: must be a time such as 2026-11-03T09:12:00Z"],
    ['[{"revision": 7, "startedAt": "yesterday"}]', "[0].startedAt: must be a time"],
    ['[{"revision": 7, "startedAt": "2026-11-03T08:00:00Z", "imgae": "x"}]', 'Unrecognized key: "imgae"'],
  ])("refuses %s", (text, message) => {
    expect(() => parseReleases(text, "releases.json")).toThrow(message);
  });
});
