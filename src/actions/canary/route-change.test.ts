import { describe, expect, it } from "@jest/globals";
import type { KubeClient } from "../../kube/client.ts";
import type { JsonPatchOperation } from "../../kube/patch.ts";
import type { Rule, RouteObject } from "../../traffic/route-kind.ts";
import { virtualServiceKind as kind } from "../../traffic/virtual-service.ts";
import { FORMER_RULES, formerRulesText, isTooLong, readFormerRules } from "./former-rules.ts";
import { backChange, moveChange, routeDigest, sendRoute } from "./route-change.ts";

const AT = "2026-01-01T00:00:00.000Z";
const move = { canary: { host: "canary" }, stable: { host: "stable" }, namespace: "shop" };
const to = (host: string): Rule => ({ route: [{ destination: { host } }] });

function virtualService(rules: readonly Rule[], annotations?: Record<string, string>): RouteObject {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "u",
      resourceVersion: "1",
      creationTimestamp: AT,
      annotations,
    },
    spec: { http: rules },
  };
}

const before = virtualService([to("other"), to("canary")]);
const change = moveChange(kind, before, move, AT);
const former = change?.former;
const after = virtualService([to("other"), to("stable")], {
  [FORMER_RULES]: former === undefined ? "" : formerRulesText(former),
});

describe("the way back of a route", () => {
  it("is the rules that were replaced, each by its place, and when", () => {
    expect(former).toEqual({ at: AT, rules: [{ list: "http", index: 1, rule: to("canary") }] });
    expect(readFormerRules(after)).toEqual(former);
    expect(backChange(kind, after, routeDigest(kind, before))).toEqual({
      rules: former?.rules,
      former: undefined,
    });
  });

  it.each([
    ["gives other rules than the plan knows", JSON.stringify({ at: AT, rules: [rule(1, "evil")] })],
    ["names a place that is not there", JSON.stringify({ at: AT, rules: [rule(7, "canary")] })],
    ["names another list", JSON.stringify({ at: AT, rules: [{ ...rule(1, "canary"), list: "spec" }] })],
    ["is no record", "[]"],
    ["is no JSON", "{"],
  ])("is not believed where it %s", (_, text) => {
    const forged = virtualService([to("other"), to("stable")], { [FORMER_RULES]: text });

    expect(backChange(kind, forged, routeDigest(kind, before))).toBeUndefined();
  });

  it("is taken off with the record by the write that uses it", async () => {
    expect(await operationsOf(after, { rules: former?.rules ?? [], former: undefined })).toEqual([
      { op: "test", path: "/metadata/uid", value: "u" },
      { op: "test", path: "/spec", value: after.spec },
      { op: "replace", path: "/spec/http/1", value: to("canary") },
      { op: "remove", path: "/metadata/annotations/rollback.llm-research-lab.io~1former-rules" },
    ]);
  });

  it("must fit into an annotation", () => {
    const long = { at: AT, rules: [{ list: "http", index: 0, rule: { name: "x".repeat(300_000) } }] };

    expect([isTooLong(long), former !== undefined && isTooLong(former)]).toEqual([true, false]);
  });
});

function rule(index: number, host: string) {
  return { list: "http", index, rule: to(host) };
}

async function operationsOf(object: RouteObject, wanted: NonNullable<typeof change>) {
  let sent: readonly JsonPatchOperation[] = [];
  const client = {
    async patch(
      _type: unknown,
      _key: unknown,
      patch: { readonly operations: readonly JsonPatchOperation[] },
    ) {
      sent = patch.operations;
      return object;
    },
  } as unknown as KubeClient;
  await sendRoute(kind, object, wanted, client, new AbortController().signal, false);
  return sent;
}
