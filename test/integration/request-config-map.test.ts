import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { contentDigest } from "../../src/config-maps/content.ts";
import { newSnapshot, snapshotName } from "../../src/config-maps/snapshot.ts";
import { ROLLBACK_POLICIES } from "../../src/kube/rollback-kinds.ts";
import { configMapType, eventType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import {
  createMap,
  editMap,
  getMap,
  inEnv,
  inFile,
  membersOfMap,
  refuseByValue,
} from "../support/config-maps.ts";
import { inParallel } from "../support/in-parallel.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { container, imageOf, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 90_000;
/** In every content that these tests make; nobody else may ever say it. */
const PLANTED = "planted-value-5f0c";
const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";
const { signal } = new AbortController();

const good = (name: string) => ({ LEVEL: `${PLANTED}-good`, NAME: `${PLANTED}-${name}` });
const restore = (to: PartialSpec, step: PartialSpec = {}) => ({
  steps: [{ name: "config", configMap: { name: "settings", to, ...step } }],
});
const flag = (value: string, key = "NEW_ALGORITHM") => ({
  steps: [{ name: "flag", featureFlag: { configMap: { name: "settings", key, value } } }],
});

describe("a step that puts a ConfigMap back", () => {
  let world: World;
  let operator: OperatorProcess;

  beforeAll(async () => {
    world = await startWorld();
    operator = await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function open(namespace: string, actions = ["config-map"]): Promise<Shop> {
    return openShop(world, namespace, { actions });
  }

  const live = ({ namespace }: Shop, name = "settings") => getMap(world.client, namespace, name);
  const restartedAt = async (shop: Shop, name: string) =>
    (await shop.live(name)).spec.template.metadata?.annotations?.[RESTARTED_AT];

  /** Accepted writes of the executor, as `patch settings`. */
  async function writes({ namespace, executor }: Shop): Promise<readonly string[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({ namespace, actor: executor })
      .map(({ verb, objectRef }) => `${verb} ${objectRef?.name}`);
  }

  async function keepSnapshotOf(
    { namespace }: Shop,
    data: Readonly<Record<string, string>>,
  ): Promise<string> {
    const content = { data, binaryData: {} };
    await world.client.create(configMapType, newSnapshot(namespace, "settings", content), { signal });
    return snapshotName("settings", contentDigest("settings", content));
  }

  async function restartsThoseThatWouldNotNotice(): Promise<void> {
    const shop = await open("consumers");
    const { namespace } = shop;
    await createMap(world.client, namespace, "settings", {
      data: { LEVEL: `${PLANTED}-bad`, ADDED: `${PLANTED}-added` },
    });
    await createMap(world.client, namespace, "other", { data: { A: PLANTED } });
    await Promise.all([
      shop.open("env", { template: inEnv("settings") }),
      shop.open("file", { template: inFile("settings") }),
      shop.open("stranger", { template: inEnv("other") }),
      shop.open("reloaded", {
        template: inEnv("settings"),
        metadata: { annotations: { "configmap.reloader.stakater.com/reload": "x, settings" } },
      }),
    ]);
    const snapshot = await keepSnapshotOf(shop, good("consumers"));

    await shop.ask("undo", undefined, restore({ snapshot }));
    const ended = await shop.ended("undo");

    expect(readyOf(ended)).toMatchObject({
      reason: "RolledBack",
      message: expect.stringMatching(/^ConfigMap\/settings put back to content [0-9a-f]{8};/),
    });
    expect((await live(shop)).data).toEqual(good("consumers"));
    const planned = ended.status?.plan?.steps[0];
    expect(planned?.changes).toEqual([
      expect.stringMatching(/^data\.ADDED [0-9a-f]{8} -> removed$/),
      expect.stringMatching(/^data\.LEVEL [0-9a-f]{8} -> [0-9a-f]{8}$/),
      expect.stringMatching(/^data\.NAME added [0-9a-f]{8}$/),
    ]);
    expect(planned?.restarts).toEqual(["Deployment/env", "Deployment/file"]);
    expect(planned?.warnings).toEqual([expect.stringContaining("Deployment/reloaded is left to Reloader")]);
    for (const name of ["env", "file"]) expect(await restartedAt(shop, name)).toBe(planned?.to?.restartedAt);
    for (const name of ["reloaded", "stranger"]) expect(await restartedAt(shop, name)).toBeUndefined();
    const acts = await writes(shop);
    expect(acts.filter((act) => !act.includes("-snapshot-"))).toEqual([
      "patch settings",
      "patch env",
      "patch file",
    ]);
    // The way back: what was there is kept as well.
    const before = snapshotName("settings", ended.status?.steps?.[0]?.before?.contentDigest ?? "");
    expect((await live(shop, before)).data).toEqual({ LEVEL: `${PLANTED}-bad`, ADDED: `${PLANTED}-added` });

    await shop.ask("forward", undefined, restore({ snapshot: before }, { restart: "Never" }));
    expect((await shop.ended("forward")).status?.plan?.steps[0]?.restarts).toBeUndefined();
    expect((await live(shop)).data).toEqual({ LEVEL: `${PLANTED}-bad`, ADDED: `${PLANTED}-added` });
    await shop.ask("again", undefined, restore({ snapshot: before }));
    expect(readyOf(await shop.ended("again")).reason).toBe("NothingToDo");
  }

  async function createsImmutableOnesAnew(): Promise<void> {
    const shop = await open("immutable");
    const { namespace } = shop;
    const old = await createMap(
      world.client,
      namespace,
      "settings",
      { data: { LEVEL: `${PLANTED}-bad` }, immutable: true },
      { labels: { team: "core" }, annotations: { note: "kept" } },
    );
    await shop.open("env", {
      template: inEnv("settings"),
      metadata: { annotations: { "reloader.stakater.com/auto": "true" } },
    });

    await shop.ask("undo", undefined, restore({ values: { LEVEL: `${PLANTED}-good` } }));
    const ended = await shop.ended("undo");

    expect(readyOf(ended).reason).toBe("RolledBack");
    const made = await live(shop);
    expect(membersOfMap(made)).toEqual({ data: { LEVEL: `${PLANTED}-good` }, immutable: true });
    expect(made.metadata.uid).not.toBe(old.metadata.uid);
    expect(made.metadata.labels).toEqual({ team: "core" });
    expect(made.metadata.annotations).toMatchObject({ note: "kept" });
    expect(ended.status?.plan?.steps[0]?.warnings).toEqual([
      expect.stringContaining("is deleted and created anew"),
    ]);
    // Reloader does not look at ConfigMaps that are created.
    expect(await restartedAt(shop, "env")).toBe(ended.status?.plan?.steps[0]?.to?.restartedAt);
    const { items } = await world.client.list(configMapType, { namespace, signal });
    expect(items.filter(({ metadata }) => metadata.name.includes("-replacement-"))).toEqual([]);
  }

  async function setsOneKey(): Promise<void> {
    const shop = await open("flags", ["feature-flag"]);
    const { namespace } = shop;
    const data = { NEW_ALGORITHM: `${PLANTED}-on`, OTHER: `${PLANTED}-other` };
    await createMap(world.client, namespace, "settings", { data });
    const ofKey = (key: string) =>
      container({
        env: [{ name: "FLAG", valueFrom: { configMapKeyRef: { name: "settings", key } } }],
      });
    await Promise.all([
      shop.open("env", { template: ofKey("NEW_ALGORITHM") }),
      shop.open("other", { template: ofKey("OTHER") }),
      shop.open("file", { template: inFile("settings") }),
      shop.open("sub", { template: inFile("settings", { subPath: "NEW_ALGORITHM" }) }),
    ]);

    await shop.ask("misspelt", undefined, flag("x", "NEW_ALGORYTHM"));
    expect(readyOf(await shop.ended("misspelt"))).toMatchObject({
      reason: "KeyNotFound",
      message: expect.stringContaining("NEW_ALGORYTHM"),
    });
    await shop.ask("off", undefined, flag(`${PLANTED}-off`));
    const ended = await shop.ended("off");

    expect(readyOf(ended).message).toMatch(/^ConfigMap\/settings put back to key NEW_ALGORITHM [0-9a-f]{8};/);
    expect((await live(shop)).data).toEqual({ ...data, NEW_ALGORITHM: `${PLANTED}-off` });
    const planned = ended.status?.plan?.steps[0];
    expect(planned?.restarts).toEqual(["Deployment/env", "Deployment/sub"]);
    expect(planned?.warnings).toEqual([
      expect.stringContaining("Deployment/file is not restarted: the kubelet renews its files"),
    ]);
    expect((await writes(shop)).filter((act) => !act.includes("-snapshot-"))).toEqual([
      "patch settings",
      "patch env",
      "patch sub",
    ]);
  }

  /** Foreign edits between plan and act, a snapshot that is deleted meanwhile. */
  async function givesWay(): Promise<void> {
    const shop = await open("foreign");
    const { namespace } = shop;
    await createMap(world.client, namespace, "settings", { data: { LEVEL: `${PLANTED}-bad` } });
    const snapshot = await keepSnapshotOf(shop, good("foreign"));
    const waiting = { ...restore({ snapshot }), approval: "Required" };

    await shop.ask("edited", undefined, waiting);
    const { status } = await shop.reaches("edited", "AwaitingApproval");
    await editMap(world.client, namespace, "settings", { LEVEL: `${PLANTED}-theirs` });
    const approve = (digest = "") => ({ "rollback.llm-research-lab.io/approve": digest });
    await shop.annotate("edited", approve(status?.plan?.digest));
    const edited = await shop.ended("edited");
    expect(edited.status?.phase).toBe("Superseded");
    expect(readyOf(edited).message).toContain("ConfigMap/settings was changed by somebody else");
    expect((await live(shop)).data).toEqual({ LEVEL: `${PLANTED}-theirs` });

    await shop.ask("gone", undefined, waiting);
    const shown = await shop.reaches("gone", "AwaitingApproval");
    await world.client.delete(configMapType, { namespace, name: snapshot }, { signal });
    await shop.annotate("gone", approve(shown.status?.plan?.digest));
    expect(readyOf(await shop.ended("gone"))).toMatchObject({
      reason: "SnapshotNotFound",
      message: expect.stringContaining(snapshot),
    });
    expect(await writes(shop)).toEqual([]);
  }

  async function refusesWhatCannotBe(): Promise<void> {
    const shop = await open("refused");
    const { namespace } = shop;
    const big = { data: { BIG: "x".repeat(1_000_000), NEEDED: PLANTED } };
    await createMap(world.client, namespace, "settings", big);
    await createMap(
      world.client,
      namespace,
      "managed",
      { data: { A: PLANTED } },
      {
        labels: {
          "kustomize.toolkit.fluxcd.io/name": "apps",
          "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        },
      },
    );
    await shop.open("env", {
      template: container({
        env: [{ name: "N", valueFrom: { configMapKeyRef: { name: "settings", key: "NEEDED" } } }],
      }),
    });
    const lacking = await keepSnapshotOf(shop, { OTHER: PLANTED });
    const named = (name: string, to: PartialSpec) => ({
      steps: [{ name: "config", configMap: { name, to } }],
    });

    const refusals: Readonly<Record<string, readonly [PartialSpec, string, RegExp]>> = {
      large: [restore({ values: { MORE: "y".repeat(60_000) } }), "TooLarge", /1060\d\d\d bytes.*1048576/],
      lacking: [restore({ snapshot: lacking }), "DependencyMissing", /Deployment\/env needs the keys NEEDED/],
      missing: [named("nowhere", { values: { A: "b" } }), "TargetNotFound", /ConfigMap\/nowhere/],
      owned: [
        named("managed", { values: { A: "b" } }),
        "TargetOwned",
        /Flux Kustomization flux-system\/apps/,
      ],
      stranger: [named("managed", { snapshot: lacking }), "TargetOwned", /Flux/],
    };
    for (const [name, [spec]] of Object.entries(refusals)) await shop.ask(name, undefined, spec);
    for (const [name, [, reason, message]] of Object.entries(refusals)) {
      expect([name, readyOf(await shop.ended(name))]).toEqual([
        name,
        { reason, message: expect.stringMatching(message) },
      ]);
    }
    expect(await writes(shop)).toEqual([]);
  }

  /** Admission may put a value into its refusal. */
  async function repeatsNoValueOfOthersWords(): Promise<void> {
    const shop = await open("admission");
    await createMap(world.client, shop.namespace, "settings", { data: { LEVEL: `${PLANTED}-bad` } });
    await refuseByValue(world, shop.namespace);
    await until(
      "admission objects",
      async () => {
        const name = `ask-${Date.now()}`;
        await shop.ask(name, undefined, {
          ...restore({ values: { LEVEL: `${PLANTED}-refused` } }),
          dryRun: true,
        });
        return readyOf(await shop.ended(name));
      },
      ({ reason, message }) => reason === "DryRunRefused" && /LEVEL must not be <value>/.test(message),
    );
  }

  /** One restart of a workload that a later step rolls back anyway; the other order is refused. */
  async function goesWithAnUndo(): Promise<void> {
    const shop = await open("together", ["config-map", "workload"]);
    await createMap(world.client, shop.namespace, "settings", { data: { LEVEL: `${PLANTED}-bad` } });
    await shop.open("web", { template: inEnv("settings") });
    await shop.release("web:v2");
    const snapshot = await keepSnapshotOf(shop, good("together"));
    const [config] = restore({ snapshot }).steps;
    const app = { name: "app", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } };

    await shop.ask("wrong", undefined, { steps: [app, config] });
    expect(readyOf(await shop.ended("wrong"))).toMatchObject({
      reason: "InvalidSteps",
      message: expect.stringContaining("put that step after this one"),
    });
    const [kept] = restore({ snapshot }, { restart: "Never" }).steps;
    await shop.ask("late", undefined, { steps: [app, kept], dryRun: true });
    expect((await shop.ended("late")).status?.plan?.steps[1]?.warnings).toEqual([
      expect.stringMatching(
        /^Deployment\/web is not restarted: .*; an earlier step replaces them: put that step after/,
      ),
    ]);
    await shop.ask("undo", undefined, { steps: [config, app] });
    const ended = await shop.ended("undo");

    expect(readyOf(ended)).toMatchObject({ reason: "RolledBack" });
    expect(ended.status?.plan?.steps[0]?.warnings).toEqual([
      expect.stringContaining("Deployment/web is not restarted by this step"),
    ]);
    expect((await live(shop)).data).toEqual(good("together"));
    expect(imageOf(await shop.live())).toBe("web:v1");
    expect(await restartedAt(shop, "web")).toBeUndefined();

    // Where the later step has nothing to do, nobody else gives fresh pods.
    await editMap(world.client, shop.namespace, "settings", { LEVEL: `${PLANTED}-bad` });
    await shop.ask("idle", undefined, {
      steps: [config, { ...app, workload: { ...app.workload, to: { revision: 3 } } }],
    });
    expect((await shop.ended("idle")).status).toMatchObject({ phase: "Succeeded", progress: "2/2" });
    expect(await restartedAt(shop, "web")).toBeDefined();
  }

  /** A policy's plan holds values; what is copied of it must not. */
  async function hidesThePlansValues(): Promise<void> {
    const shop = await open("plans", ["config-map", "feature-flag"]);
    const { namespace } = shop;
    await shop.open("web");
    await createMap(world.client, namespace, "settings", { data: { LEVEL: `${PLANTED}-bad` } });
    await createMap(world.client, namespace, "flags", { data: { NEW: `${PLANTED}-on` } });
    const steps = [
      { name: "map", configMap: { name: "settings", to: { values: { LEVEL: `${PLANTED}-plan` } } } },
      { name: "flag", featureFlag: { configMap: { name: "flags", key: "NEW", value: `${PLANTED}-off` } } },
    ];
    const spec = {
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: "rollback-executor",
      suspend: true,
      signals: [{ name: "crash-loop", pods: { waiting: "CrashLoopBackOff" } }],
      matrix: [{ name: "r", when: { signal: "crash-loop", above: "0" }, severity: "SEV3", action: "Notify" }],
      plans: [{ name: "config", steps }],
    };
    await world.kubectl(
      ["apply", "-n", namespace, "-f", "-"],
      JSON.stringify({
        apiVersion: "rollback.llm-research-lab.io/v1alpha1",
        kind: "RollbackPolicy",
        metadata: { name: "web" },
        spec,
      }),
    );

    const ask = (name: string, more: PartialSpec = {}) =>
      shop.ask(name, undefined, {
        steps: undefined,
        policyRef: { name: "web" },
        verification: { checks: [] },
        ...more,
      });
    await ask("undo");
    expect((await shop.ended("undo")).status).toMatchObject({ phase: "Succeeded", progress: "2/2" });
    expect((await live(shop)).data).toEqual({ LEVEL: `${PLANTED}-plan` });
    expect((await live(shop, "flags")).data).toEqual({ NEW: `${PLANTED}-off` });

    await editMap(world.client, namespace, "settings", { LEVEL: `${PLANTED}-bad` });
    await editMap(world.client, namespace, "flags", { NEW: `${PLANTED}-on` });
    await ask("changed", { approval: "Required" });
    const { status } = await shop.reaches("changed", "AwaitingApproval");
    expect(JSON.stringify(status?.resolved)).toMatch(/sha256:[0-9a-f]{16}/);
    const plans = [
      {
        name: "config",
        steps: [{ ...steps[0], configMap: { name: "settings", to: { values: { LEVEL: "z" } } } }],
      },
    ];
    await world.client.patch(
      ROLLBACK_POLICIES,
      { namespace, name: "web" },
      { kind: "merge", value: { spec: { plans } } },
      { signal },
    );
    await shop.annotate("changed", { "rollback.llm-research-lab.io/approve": status?.plan?.digest ?? "" });
    expect(readyOf(await shop.ended("changed"))).toMatchObject({ reason: "PlanChanged" });
    expect((await live(shop)).data).toEqual({ LEVEL: `${PLANTED}-bad` });
  }

  const stories = {
    "restarts once those that would not notice, and keeps what was there": restartsThoseThatWouldNotNotice,
    "deletes an immutable one and creates it anew": createsImmutableOnesAnew,
    "sets one key, which must be there": setsOneKey,
    "gives way to others": givesWay,
    "refuses what cannot be": refusesWhatCannotBe,
    "repeats no value that admission tells": repeatsNoValueOfOthersWords,
    "leaves the fresh pods to a later step": goesWithAnUndo,
    "keeps no value of a policy's plan": hidesThePlansValues,
  };
  inParallel(stories, TEST_MS);

  it(
    "says no value in events, logs, status or metrics, whatever happened",
    async () => {
      const audit = await readAudit(world.controlPlane.auditLogPath);
      const statuses = audit.events.filter(({ objectRef }) => objectRef?.subresource === "status");
      expect(statuses.length).toBeGreaterThan(10);
      const { items: events } = await world.client.list(eventType, { signal });
      expect(events.length).toBeGreaterThan(5);
      const log = await readFile(operator.logPath, "utf8");
      const metrics = await (await fetch(`${operator.url}/metrics`)).text();
      const ledgers = await world.kubectl(["get", "rbl", "-A", "-o", "json"]);
      const said = {
        // Request bodies of the operator's own kinds are in the audit log: a status is written with the whole object.
        statuses: statuses.map(
          ({ requestObject }) => (requestObject as { readonly status?: unknown })?.status,
        ),
        events,
        log,
        metrics,
        ledgers,
      };
      for (const [where, what] of Object.entries(said)) {
        expect([where, JSON.stringify(what).includes(PLANTED)]).toEqual([where, false]);
      }
    },
    TEST_MS,
  );
});
