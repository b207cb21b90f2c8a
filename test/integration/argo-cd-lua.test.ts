import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { argoCdPatches } from "../../scripts/argo-cd-patches.ts";
import { REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { API_VERSION } from "../../src/crds/common.ts";
import { lacksOfArgoCd, tellSkipped } from "../support/argo-cd-lacks.ts";
import { openLuaEngine, type LuaEngine } from "../support/argo-cd-lua.ts";
import { storedVersions, type ConditionedObject } from "../support/kstatus.ts";
import { FAST_ELECTION } from "../support/operator-process.ts";
import { refuseScaling } from "../support/refuse-scaling.ts";
import { openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 180_000;
const TEST_MS = 120_000;
const LONG = { verification: { settle: "0s", soak: "10m", interval: "1s" } };
const SERVER = "system:serviceaccount:argocd:argocd-server";

const lacks = lacksOfArgoCd("program");
tellSkipped("health checks and actions for Argo CD are not tested, its program is not here", lacks);
const describeWithArgoCd = lacks === "" ? describe : describe.skip;

describe("what is shipped for Argo CD", () => {
  it.each([...argoCdPatches()])("%s is what the Lua beside it gives", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});

/** State of each thread of a process, proc_pid_stat(5): T is stopped. */
function threadStates(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
  });
}

/** How Argo CD is to read each phase of a request that is in it. */
const HEALTH: Readonly<Record<string, string>> = {
  new: "Progressing",
  Pending: "Progressing",
  Planning: "Progressing",
  AwaitingApproval: "Suspended",
  Applying: "Progressing",
  Verifying: "Progressing",
  Succeeded: "Healthy",
  Failed: "Degraded",
  Compensated: "Degraded",
  Superseded: "Healthy",
  Denied: "Healthy",
  Expired: "Healthy",
  Aborted: "Healthy",
  "Aborted after an act": "Degraded",
};

const OFFERED: Readonly<Record<string, readonly string[]>> = {
  new: ["abort"],
  Pending: ["abort"],
  Planning: ["abort"],
  AwaitingApproval: ["abort", "deny"],
  Applying: ["abort"],
  Verifying: ["abort"],
};

describeWithArgoCd("in Argo CD's own Lua engine", () => {
  let world: World;
  let lua: LuaEngine;
  let approving: LuaEngine;
  /** Every version of every object that the operator has written. */
  let versions: readonly ConditionedObject[];

  beforeAll(async () => {
    world = await startWorld();
    lua = await openLuaEngine(world.kubectl, "deploy/argo-cd");
    approving = await openLuaEngine(world.kubectl, "deploy/argo-cd", "deploy/argo-cd/with-approval");
    await refuseScaling(world);
    // Nobody listens there.
    const nowhere =
      "prometheus: {servers: [{name: default, url: 'http://127.0.0.1:9', scrapeInterval: 1s}]}\n";
    await world.operator({ config: FAST_ELECTION + nowhere });
    await Promise.all([everyPhase(), everyPolicy()]);
    versions = await storedVersions(world.controlPlane.auditLogPath);
  }, START_MS);

  afterAll(async () => {
    await lua?.close();
    await approving?.close();
    await world?.stop();
  }, START_MS);

  /** Requests that come to every phase there is. */
  async function everyPhase(): Promise<void> {
    const shop = await openShop(world, "phases", { actions: ["workload", "scale"] });
    const released = ["web", "other", "asked"].map(async (name) => {
      await shop.open(name);
      await shop.release("web:v2", name);
      await shop.release("web:v3", name);
    });
    await Promise.all([...released, shop.open("worker"), shop.open("refused")]);
    const previous = { strategy: "Previous" };
    await shop.ask("first", previous, LONG);
    await shop.reaches("first", "Verifying");
    await shop.ask("pending", { revision: 1 });
    await shop.reaches("pending", "Pending");
    await shop.annotate("pending", { [REQUEST_ANNOTATIONS.abort]: "true" });
    await shop.ended("pending");
    await shop.annotate("first", { [REQUEST_ANNOTATIONS.abort]: "true" });
    await shop.ended("first");

    const asked = { approval: "Required" };
    await shop.ask("denied", previous, asked, "asked");
    await shop.ask("expired", previous, { ...asked, expiresAfter: "1s" }, "asked");
    await shop.ask("superseded", previous, { expect: { podTemplateHash: "5d4f9" } }, "asked");
    await shop.ask("failed", previous, {}, "nothing-here");
    await shop.reaches("denied", "AwaitingApproval");
    await shop.annotate("denied", { [REQUEST_ANNOTATIONS.deny]: "no" });
    await Promise.all(["denied", "expired", "superseded", "failed"].map((name) => shop.ended(name)));
    await shop.ask("succeeded", previous, {}, "other");
    await shop.ended("succeeded");
    await shop.ask("compensated", undefined, {
      steps: [
        { name: "stop", scale: { kind: "Deployment", name: "worker", replicas: 0 } },
        { name: "more", scale: { kind: "Deployment", name: "refused", replicas: 3 } },
      ],
      onFailure: "Compensate",
    });
    await shop.ended("compensated");
    await planning(shop);
  }

  /** A change of the workload that its controller has not taken up: nothing can be planned until it has. */
  async function planning(shop: Shop): Promise<void> {
    const controllers = world.controlPlane.pids["kube-controller-manager"] ?? 0;
    process.kill(controllers, "SIGSTOP");
    try {
      // On a busy machine its threads go on for a while.
      await until(
        "the controllers stand still",
        async () => threadStates(controllers),
        (states) => states.every((state) => state === "T"),
      );
      await shop.edit([{ op: "replace", path: "/spec/replicas", value: 3 }], "asked");
      await shop.ask("planning", { strategy: "Previous" }, {}, "asked");
      await shop.reaches("planning", "Planning");
    } finally {
      process.kill(controllers, "SIGCONT");
    }
    await shop.ended("planning");
  }

  async function everyPolicy(): Promise<void> {
    const shop = await openShop(world, "policies");
    const rightless = await openShop(world, "rightless", { actions: ["scale"] });
    await Promise.all([shop.open(), shop.open("blind"), rightless.open()]);
    await Promise.all([shop.release("web:v2"), rightless.release("web:v2")]);
    const shows = (namespace: string, name: string, type: string, status: string) =>
      world.kubectl([
        "wait",
        "-n",
        namespace,
        `rbp/${name}`,
        `--for=condition=${type}=${status}`,
        "--timeout=60s",
      ]);
    await policy("policies", "watching", {});
    await policy("policies", "suspended", { suspend: true, target: { kind: "Deployment", name: "asleep" } });
    await policy("policies", "blind", {
      target: { kind: "Deployment", name: "blind" },
      signals: [{ name: "up", prometheus: { query: "sum(up)" } }],
      matrix: [{ name: "down", when: { signal: "up", below: "1" }, severity: "SEV1", action: "Notify" }],
    });
    await policy("policies", "lost", { target: { kind: "Deployment", name: "nothing-here" } });
    await policy("rightless", "rightless", {});
    await shows("policies", "watching", "Ready", "True");
    await shows("policies", "suspended", "Ready", "True");
    await shows("policies", "lost", "Stalled", "True");
    await shows("policies", "blind", "Reconciling", "True");
    await shows("rightless", "rightless", "RollbackReady", "False");
    await shop.release("web:crash");
    await shows("policies", "watching", "Breached", "True");
  }

  async function policy(namespace: string, name: string, spec: PartialSpec): Promise<void> {
    const object = {
      apiVersion: API_VERSION,
      kind: "RollbackPolicy",
      metadata: { namespace, name },
      spec: {
        target: { kind: "Deployment", name: "web" },
        serviceAccountName: "rollback-executor",
        mode: "Observe",
        interval: "1s",
        signals: [{ name: "crash-loop", pods: { waiting: "CrashLoopBackOff" } }],
        matrix: [
          {
            name: "broken",
            when: { signal: "crash-loop", above: "0" },
            severity: "SEV1",
            action: "Rollback",
          },
        ],
        ...spec,
      },
    };
    await world.kubectl(["create", "-f", "-"], JSON.stringify(object));
  }

  const phaseOf = ({ metadata, status }: ConditionedObject) =>
    metadata.name === "first" && status?.phase === "Aborted"
      ? "Aborted after an act"
      : (status?.phase ?? "new");

  /** The first version of a request in each phase, as the API server stored it: before anybody answered. */
  function requests(): ReadonlyMap<string, ConditionedObject> {
    const all = versions.filter(({ kind }) => kind === "RollbackRequest");
    return new Map(all.toReversed().map((object) => [phaseOf(object), object]));
  }

  const readyMessage = ({ status }: ConditionedObject) =>
    status?.conditions?.find(({ type }) => type === "Ready")?.message;

  /** The newest version of a policy that shows what is asked for. */
  function policyWhere(name: string, condition: string, status: string): ConditionedObject {
    const found = versions.findLast(
      (object) =>
        object.kind === "RollbackPolicy" &&
        object.metadata.name === name &&
        object.status?.conditions?.some((each) => each.type === condition && each.status === status) === true,
    );
    if (found === undefined) throw new Error(`${name} never had ${condition}=${status}`);
    return found;
  }

  describe("a RollbackRequest", () => {
    it("was seen in every phase", () => {
      expect([...requests().keys()].toSorted()).toEqual(Object.keys(HEALTH).toSorted());
    });

    it.each(Object.entries(HEALTH))(
      "that is %s reads as %s, with its message",
      async (phase, status) => {
        const object = requests().get(phase) as ConditionedObject;
        expect(await lua.health(object)).toEqual({
          status,
          message: phase === "new" ? "waits for the rollback operator" : readyMessage(object),
        });
      },
      TEST_MS,
    );

    it("whose conditions speak of an older generation is in progress", async () => {
      const object = requests().get("Failed") as ConditionedObject;
      const { generation = 1 } = object.metadata;
      const newer = { ...object, metadata: { ...object.metadata, generation: generation + 1 } };
      expect((await lua.health(newer)).status).toBe("Progressing");
    });

    it.each(Object.keys(HEALTH))(
      "that is %s offers what has an effect, and refuses the rest",
      async (phase) => {
        const object = requests().get(phase) as ConditionedObject;
        // One that was aborted carries the annotation still.
        const offered = await lua.actions(object);
        expect(offered).toEqual(OFFERED[phase] ?? []);
        const refused = ["abort", "deny", "release"].filter((action) => !offered.includes(action));
        for (const action of refused) {
          await expect(lua.run(object, action)).rejects.toThrow(`nothing to ${action}`);
        }
        await expect(approving.run(object, "approve")).rejects.toThrow(
          phase === "AwaitingApproval" ? "name the plan that you have read" : "nothing to approve",
        );
      },
      TEST_MS,
    );

    it(
      "that holds a GitOps tool says so, and can be released once",
      async () => {
        const succeeded = requests().get("Succeeded") as ConditionedObject;
        const conditions = succeeded.status?.conditions ?? [];
        const persisted = { ...conditions[0], type: "Persisted", status: "False", message: "Git has v2" };
        const held = {
          ...succeeded,
          status: { ...succeeded.status, conditions: [...conditions, persisted], holds: [{ state: "Held" }] },
        };

        expect(await lua.actions(held)).toEqual(["release"]);
        expect(await lua.health(held)).toMatchObject({
          status: "Healthy",
          message: expect.stringContaining("Git does not agree yet: Git has v2"),
        });
        const released = await lua.run(held, "release");
        expect(released).toMatchObject({
          metadata: { annotations: { "rollback.llm-research-lab.io/release": "true" } },
        });
        expect(await lua.actions(released)).toEqual([]);
      },
      TEST_MS,
    );
  });

  describe("an action on a RollbackRequest, written as Argo CD's API server would,", () => {
    let shop: Shop;

    beforeAll(async () => {
      await world.kubectl(["apply", "-f", "deploy/manifests/admission.yaml"]);
      shop = await openShop(world, "actions", { actions: ["workload"] });
      await shop.open();
      await shop.release("web:v2");
      await until(
        "the admission policy is in force",
        () => create("probe", "bob"),
        ({ code }) => code !== 0,
      );
    }, START_MS);

    const create = (name: string, requestedBy: string) =>
      world.kubectl.attempt(
        ["create", "-n", "actions", "--dry-run=server", "-f", "-"],
        JSON.stringify({
          apiVersion: API_VERSION,
          kind: "RollbackRequest",
          metadata: { name },
          spec: { requestedBy, steps: [{ name: "app", workload: { kind: "Deployment", name: "web" } }] },
        }),
      );

    const asArgoCd = ["-n", "actions", `--as=${SERVER}`, "--as-group=system:masters"];

    async function waiting(name: string): Promise<{ readonly object: object; readonly digest: string }> {
      await shop.ask(name, { strategy: "Previous" }, { approval: "Required" });
      const { status } = await shop.reaches(name, "AwaitingApproval");
      const object = JSON.parse(
        await world.kubectl(["get", "rbr", name, "-n", "actions", "-o", "json"]),
      ) as object;
      return { object, digest: status?.plan?.digest ?? "" };
    }

    const write = (object: object) =>
      world.kubectl.attempt([...asArgoCd, "replace", "-f", "-"], JSON.stringify(object));

    it(
      "denies in nobody's name",
      async () => {
        const { object } = await waiting("deny");
        expect(await write(await lua.run(object, "deny"))).toMatchObject({ code: 0 });
        const ended = await shop.ended("deny");
        expect(ended.status?.phase).toBe("Denied");
        expect(readyOf(ended).message).toBe(
          "denied by somebody who gave no name: denied in Argo CD; nothing was changed",
        );
      },
      TEST_MS,
    );

    it(
      "aborts",
      async () => {
        const { object } = await waiting("abort");
        expect(await write(await lua.run(object, "abort"))).toMatchObject({ code: 0 });
        expect((await shop.ended("abort")).status?.phase).toBe("Aborted");
      },
      TEST_MS,
    );

    it(
      "approves only where the component with approval is installed, only the plan that is named, and only once the admission policy lists its account",
      async () => {
        const { object, digest } = await waiting("approve");
        expect(await lua.actions(object)).toEqual(["abort", "deny"]);
        await expect(lua.run(object, "approve", { plan: digest })).rejects.toThrow();
        expect(await approving.actions(object)).toEqual(["abort", "approve", "deny"]);
        await expect(approving.run(object, "approve", { plan: "0123456789abcdef" })).rejects.toThrow(
          `the plan is ${digest} now, not 0123456789abcdef`,
        );

        const approved = await approving.run(object, "approve", { plan: digest });
        const refused = await write(approved);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain("a GitOps tool does not approve");
        expect((await shop.request("approve")).status?.phase).toBe("AwaitingApproval");
        expect(await shop.acts()).toEqual([]);

        const policy = readFileSync("deploy/manifests/admission.yaml", "utf8");
        await world.kubectl(["apply", "-f", "-"], policy.replace(`"['']"`, `"['${SERVER}']"`));
        await until(
          "the account may approve",
          () => write(approved),
          ({ code }) => code === 0,
        );
        const ended = await shop.ended("approve");
        expect(ended.status?.conditions?.find(({ type }) => type === "Approved")?.message).toBe(
          `approved by ${SERVER}: plan ${digest}`,
        );
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );
  });

  describe("a RollbackPolicy", () => {
    it.each([
      ["watches", "watching", "Breached", "False", "Healthy", /^1 signal Ok/],
      ["sees a breach", "watching", "Breached", "True", "Healthy", /^row broken fires: crash-loop breaches/],
      ["is suspended", "suspended", "Ready", "True", "Suspended", /^suspended: nothing is evaluated/],
      ["has no target", "lost", "Stalled", "True", "Degraded", /^Deployment\/nothing-here does not exist/],
      [
        "cannot evaluate",
        "blind",
        "Reconciling",
        "True",
        "Degraded",
        /^cannot evaluate, so nothing is done: /,
      ],
      ["may not act", "rightless", "RollbackReady", "False", "Degraded", /a rollback would not work now: /],
    ] as const)(
      "that %s: health",
      async (_, name, condition, value, status, message) => {
        expect(await lua.health(policyWhere(name, condition, value))).toEqual({
          status,
          message: expect.stringMatching(message),
        });
      },
      TEST_MS,
    );

    it(
      "is suspended and resumed, and new it is in progress",
      async () => {
        const watching = policyWhere("watching", "Ready", "True");
        expect(await lua.actions(watching)).toEqual(["suspend"]);
        const suspended = await lua.run(watching, "suspend");
        expect(suspended).toMatchObject({ spec: { suspend: true } });
        expect(await lua.actions(suspended)).toEqual(["resume"]);
        expect(await lua.run(suspended, "resume")).toMatchObject({ spec: { suspend: false } });
        // All else is as it was, for Argo CD writes the whole of it.
        expect(await lua.run(suspended, "resume")).toEqual(JSON.parse(JSON.stringify(watching)));
        const young = { ...watching, status: { observedGeneration: -1 } };
        expect((await lua.health(young)).status).toBe("Progressing");
      },
      TEST_MS,
    );
  });
});
