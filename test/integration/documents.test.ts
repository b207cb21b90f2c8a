import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { startControlPlane, type ControlPlane } from "../cluster/control-plane.ts";
import { kubectlFor, type Kubectl } from "../support/kubectl.ts";
import { installOperator } from "../support/operator-process.ts";

const START_MS = 90_000;
const TEST_MS = 30_000;

const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file))
    .toSorted(),
];

/** Whole objects, as a reader would paste them into `kubectl apply`. */
const MANIFESTS = PAGES.flatMap((page) =>
  [...readFileSync(page, "utf8").matchAll(/^```yaml\n(apiVersion: [^]*?)^```$/gm)].map(
    (match, index) => [`${page}, example ${index + 1}`, match[1] ?? ""] as const,
  ),
);

/** A path of the repository in the text; one with a placeholder in capitals, or a wildcard, is left alone. */
const FILE = /`((?:src|test|deploy|docs|examples|scripts|bench)\/[a-z0-9/._-]+)`/g;

describe("the documents", () => {
  let controlPlane: ControlPlane;
  let kubectl: Kubectl;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: false });
    kubectl = await kubectlFor(controlPlane.kubeconfigPath);
    await installOperator(kubectl);
    for (const name of new Set(MANIFESTS.flatMap(([, text]) => namespacesOf(text)))) {
      await kubectl(["create", "namespace", name]);
    }
  }, START_MS);

  afterAll(async () => {
    await controlPlane?.stop();
  }, START_MS);

  it.each(MANIFESTS)(
    "%s is accepted by the API server, every field of it",
    async (_, text) => {
      const { code, stderr } = await kubectl.attempt(
        ["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        text,
      );

      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    },
    TEST_MS,
  );

  it.each(PAGES)("%s names only files that are there", (page) => {
    const named = [...readFileSync(page, "utf8").matchAll(FILE)].map((match) => match[1] ?? "");

    expect(named.filter((file) => !existsSync(file))).toEqual([]);
  });

  it("name, in the threat model, only tests that are there", () => {
    const rows = readFileSync("docs/threat-model.md", "utf8").split("\n");
    const evidence = rows.map((row) => row.split("|")[3] ?? "").join("\n");
    const titles = [...evidence.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? "");
    const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => readFileSync(join("test", file), "utf8"))
      .join("\n");

    expect(titles.length).toBeGreaterThan(5);
    expect(titles.filter((title) => !tests.includes(title))).toEqual([]);
  });

  it("number the decisions in a row, in file names as in headings", () => {
    const files = readdirSync("docs/decisions").toSorted();
    const headings = files.map((file) => readFileSync(join("docs/decisions", file), "utf8").split(" ", 2)[1]);

    expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, index) => index + 1));
    expect(headings).toEqual(files.map((_, index) => `${index + 1}.`));
  });

  it.each(PAGES)("%s leads only to places that are there", (page) => {
    const broken = linksOf(readFileSync(page, "utf8")).filter((link) => !leadsSomewhere(page, link));

    expect(broken).toEqual([]);
  });
});

function linksOf(text: string): readonly string[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((link) => !/^https?:/.test(link));
}

/** A file or folder of the repository, and in a page a heading where one is named. */
function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const file = path === "" ? page : normalize(join(dirname(page), path));
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(readFileSync(file, "utf8")).includes(anchor);
}

/** As GitHub makes them from headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function namespacesOf(text: string): readonly string[] {
  return parseAllDocuments(text).flatMap((document) => {
    const namespace: unknown = document.getIn(["metadata", "namespace"]);
    return typeof namespace === "string" ? [namespace] : [];
  });
}
