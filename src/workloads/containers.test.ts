import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { containersOf, imageOfContainer, isMovable, labelledImages, withImage } from "./containers.ts";
import { changedPaths, sameTemplate } from "./template.ts";

const word = fc.stringMatching(/^[a-z]{1,6}$/);
const containers = fc.uniqueArray(fc.record({ name: word, image: word }, { noNullPrototype: true }), {
  selector: ({ name }) => name,
  minLength: 1,
  maxLength: 5,
});
const template = fc.tuple(containers, fc.nat({ max: 4 })).map(([all, first]) => {
  const split = Math.max(1, all.length - first);
  const initContainers = all.slice(split);
  return {
    metadata: { labels: { app: "web" } },
    spec: { containers: all.slice(0, split), ...(initContainers.length === 0 ? {} : { initContainers }) },
  };
});

describe("containers of a template", () => {
  it("change in nothing but the one image, there and back", () => {
    fc.assert(
      fc.property(template, fc.nat(), word, (one, index, image) => {
        const all = containersOf(one);
        const { name, image: before = "" } = all[index % all.length] ?? { name: "" };

        const pinned = withImage(one, name, image);

        expect(imageOfContainer(pinned, name)).toBe(image);
        expect(sameTemplate(withImage(pinned, name, before), one)).toBe(true);
        expect(changedPaths(one, pinned)).toHaveLength(before === image ? 0 : 1);
      }),
    );
  });

  it("are shown with their names where there are several, init containers among them", () => {
    const app = { name: "app", image: "web:v1" };
    const proxy = { name: "proxy", image: "proxy:v9" };
    const migrate = { name: "migrate", image: "migrate:v2" };

    expect(labelledImages({ spec: { containers: [app] } })).toEqual(["web:v1"]);
    expect(labelledImages({ spec: { containers: [proxy, app], initContainers: [migrate] } })).toEqual([
      "proxy=proxy:v9",
      "app=web:v1",
      "migrate=migrate:v2",
    ]);
    expect(imageOfContainer({ spec: { containers: [app] } }, "proxy")).toBeUndefined();
  });

  it.each([
    ["web", true],
    ["web:latest", true],
    ["registry:5000/team/web", true],
    ["registry:5000/team/web:latest", true],
    ["web:v1", false],
    ["web:latest-fix", false],
    ["web:latest@sha256:01", false],
    ["registry:5000/team/web@sha256:01", false],
  ])("%s can be moved: %s", (image, movable) => {
    expect(isMovable(image)).toBe(movable);
  });
});
