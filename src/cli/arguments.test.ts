import { describe, expect, it } from "@jest/globals";
import {
  destinationOf,
  parseImagePin,
  parseWorkload,
  parseRequestName,
  parseRevision,
  parseTimeout,
} from "./arguments.ts";

describe("parseWorkload", () => {
  it.each(["deploy/web", "deployment/web", "deployments/web", "deployments.apps/web", "Deployment/web"])(
    "takes %s",
    (text) => {
      expect(parseWorkload(text)).toEqual({ kind: "Deployment", name: "web" });
    },
  );

  it.each([
    ["sts/db", "StatefulSet"],
    ["StatefulSets.apps/db", "StatefulSet"],
    ["ds/db", "DaemonSet"],
    ["daemonset/db", "DaemonSet"],
  ])("takes %s", (text, kind) => {
    expect(parseWorkload(text)).toEqual({ kind, name: "db" });
  });

  it("says how to write it when only a name is given", () => {
    expect(() => parseWorkload("web")).toThrow(
      "must be deploy/NAME, sts/NAME, ds/NAME or rollout/NAME, such as deploy/web",
    );
  });

  it.each(["pod/web", "deploy/", "deploy/Web", "deploy/a/b", "deploy/../x", ""])("refuses %j", (text) => {
    expect(() => parseWorkload(text)).toThrow();
  });
});

describe("parseRequestName", () => {
  it.each(["undo-1", "rbr/undo-1", "rollbackrequest.rollback.llm-research-lab.io/undo-1"])(
    "takes %s",
    (text) => {
      expect(parseRequestName(text)).toBe("undo-1");
    },
  );

  it("refuses what is no name", () => {
    expect(() => parseRequestName("deploy/web")).toThrow('"deploy/web" is not the name of a RollbackRequest');
  });
});

describe("parseRevision", () => {
  it("takes numbers from 1", () => {
    expect(parseRevision("7")).toBe(7);
  });

  it.each(["0", "-1", "1.5", "2147483648", "v7", ""])("refuses %j", (text) => {
    expect(() => parseRevision(text)).toThrow("must be a revision number");
  });
});

describe("parseTimeout", () => {
  it("takes durations as our kinds do", () => {
    expect(parseTimeout("1m30s")).toBe(90_000);
    expect(() => parseTimeout("90")).toThrow("must be a duration such as 90s");
  });
});

describe("parseImagePin", () => {
  it("takes a container and its image, and nothing less", () => {
    const image = "registry:5000/web:v1@sha256:ab";

    expect(parseImagePin(`app=${image}`)).toEqual({ container: "app", image });
    for (const text of ["web:v1", "=web:v1", "app=", "App=web:v1", ""]) {
      expect(() => parseImagePin(text)).toThrow("must be CONTAINER=IMAGE");
    }
  });
});

describe("destinationOf", () => {
  it("is the last known good revision unless something is named", () => {
    expect(destinationOf(undefined, undefined, undefined)).toEqual({ strategy: "LastKnownGood" });
    expect(destinationOf(undefined, "previous", undefined)).toEqual({ strategy: "Previous" });
    expect(destinationOf(5, undefined, undefined)).toEqual({ revision: 5 });
    const image = { container: "app", image: "web:v1" };
    expect(destinationOf(undefined, undefined, image)).toEqual({ image });
  });
});
