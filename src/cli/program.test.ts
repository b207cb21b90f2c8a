import { describe, expect, it } from "@jest/globals";
import { CommanderError } from "commander";
import { completionOf } from "./completion.ts";
import { createProgram, type GlobalOptions } from "./program.ts";
import { requestName } from "./request/new-request.ts";
import { kubeconfigOf } from "./session.ts";

/** The options a command line reaches a cluster with; throws CommanderError on wrong usage. */
async function run(...words: readonly string[]): Promise<GlobalOptions | undefined> {
  let seen: GlobalOptions | undefined;
  const program = createProgram({
    async inCluster(options) {
      seen = options;
    },
    async locally(options) {
      seen = options;
    },
    async complete() {},
    async completionScript() {},
  });
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  }
  await program.parseAsync(words, { from: "user" });
  return seen;
}

function completed(...words: readonly string[]) {
  const idle = { async inCluster() {}, async locally() {}, async complete() {}, async completionScript() {} };
  return completionOf(createProgram(idle), words);
}

describe("command line", () => {
  it("takes options of kubectl before and behind the command", async () => {
    expect(await run("undo", "deploy/web", "-n", "shop", "-o", "json")).toMatchObject({
      namespace: "shop",
      output: "json",
    });
    expect(await run("--context", "prod", "history")).toMatchObject({ context: "prod" });
  });

  it.each([
    [["undo"]],
    [["undo", "web"]],
    [["undo", "deploy/web", "--to", "oldest"]],
    [["undo", "deploy/web", "--to-revision", "3", "--to", "previous"]],
    [["undo", "deploy/web", "--to-revision", "3", "--image", "app=web:v1"]],
    [["undo", "deploy/web", "--image", "web:v1"]],
    [["undo", "deploy/web", "--to-revision", "zero"]],
    [["undo", "deploy/web", "--reason", "x".repeat(1_025)]],
    [["status"]],
    [["status", "x", "--timeout", "soon"]],
    [["approve", "x", "--digest", "abc"]],
    [["deny", "x"]],
    [["hotfix", "web"]],
    [["explain"]],
    [["explain", "deploy/web"]],
    [["hotfix", "web", "--eta", "soon"]],
    [["hotfix", "web", "--eta", "10m", "--cancel"]],
    [["history", "-o", "xml"]],
    [["undue", "deploy/web"]],
  ])("refuses %j", async (words) => {
    const error = await run(...words).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommanderError);
    expect((error as CommanderError).exitCode).toBe(1);
  });
});

describe("completion", () => {
  it("offers commands, options and their values", () => {
    expect(completed("un")).toEqual({ kind: "Words", words: ["undo"] });
    expect(completed("undo", "--to")).toEqual({ kind: "Words", words: ["--to-revision", "--to"] });
    expect(completed("undo", "deploy/web", "--to", "p")).toEqual({ kind: "Words", words: ["previous"] });
    expect(completed("completion", "")).toEqual({ kind: "Words", words: ["bash", "zsh", "fish"] });
  });

  it("offers no hidden command", () => {
    expect(completed("_")).toEqual({ kind: "Words", words: [] });
  });

  it("looks in the namespace that was named", () => {
    expect(completed("-n", "shop", "undo", "de")).toMatchObject({
      kind: "Workloads",
      session: { namespace: "shop" },
    });
    expect(completed("abort", "--namespace=shop", "")).toMatchObject({
      kind: "Requests",
      session: { namespace: "shop" },
    });
    expect(completed("approve", "")).toMatchObject({ kind: "Requests" });
    expect(completed("explain", "")).toMatchObject({ kind: "Policies" });
    expect(completed("hotfix", "-n", "shop", "")).toMatchObject({
      kind: "Policies",
      session: { namespace: "shop" },
    });
    expect(completed("undo", "deploy/web", "")).toEqual({ kind: "Words", words: [] });
  });
});

describe("requestName", () => {
  it("is a label with a suffix that is hard to misread", () => {
    expect(requestName("web", "undo", () => 0)).toBe("web-undo-bbbbb");
    expect(requestName("a.b_c", "retry", () => 0.999)).toBe("a-b-c-retry-99999");
    const long = requestName("x".repeat(250), "undo", Math.random);
    expect(long).toMatch(/^x+-undo-[b-z2-9]{5}$/);
    expect(long).toHaveLength(63);
  });
});

describe("kubeconfigOf", () => {
  const only =
    (...paths: readonly string[]) =>
    (path: string) =>
      paths.includes(path);

  it("follows kubectl: the flag, then KUBECONFIG, then the home folder", () => {
    expect(kubeconfigOf("/a", { KUBECONFIG: "/b" }, only("/a", "/b"))).toBe("/a");
    expect(kubeconfigOf(undefined, { KUBECONFIG: "/b:/gone:/c" }, only("/b", "/c"))).toBe("/b:/c");
    expect(kubeconfigOf(undefined, { HOME: "/h" }, only("/h/.kube/config"))).toBe("/h/.kube/config");
  });

  it("is the pod's own account only where there is no file", () => {
    expect(
      kubeconfigOf(undefined, { HOME: "/h", KUBERNETES_SERVICE_HOST: "10.0.0.1" }, only()),
    ).toBeUndefined();
  });

  it.each([
    ["/gone", {}, "kubeconfig /gone does not exist: check --kubeconfig"],
    [undefined, { KUBECONFIG: "/gone" }, "no file of KUBECONFIG=/gone exists"],
    [
      undefined,
      { HOME: "/h" },
      "no kubeconfig: /h/.kube/config does not exist; set KUBECONFIG or give --kubeconfig FILE",
    ],
  ])("says what is missing: %s %j", (named, env, words) => {
    expect(() => kubeconfigOf(named, env, only())).toThrow(words);
  });
});
