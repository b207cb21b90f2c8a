import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_LEDGERS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { configMapType, serviceType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import {
  editService,
  endpointsOf,
  MACHINE,
  openBlueGreen,
  openHpa,
  podsOfColor,
  serviceOf,
  toBlue,
  type BlueGreenOptions,
} from "../support/blue-green.ts";
import { SHORT_LEASE } from "../support/crash-world.ts";
import { inParallel } from "../support/in-parallel.ts";
import { startMachine } from "../support/machine.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const signal = new AbortController().signal;

describe("a step that gives a Service another colour", () => {
  let world: World;
  let operator: OperatorProcess | undefined;
  let machine: Awaited<ReturnType<typeof startMachine>> | undefined;

  beforeAll(async () => {
    world = await startWorld({ podIP: "10.1.2.3" });
    machine = await startMachine(world.client, MACHINE);
    await installOwnerCrds(world.kubectl);
    operator = await world.operator({ config: SHORT_LEASE });
  }, START_MS);

  afterAll(async () => {
    await machine?.stop();
    await world?.stop();
  }, START_MS);

  async function open(namespace: string, options: BlueGreenOptions = {}): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["blue-green"] });
    await openBlueGreen(shop, world.client, "web", options);
    return shop;
  }

  async function ask(
    shop: Shop,
    name: string,
    more: object = {},
    step: object = {},
  ): Promise<RollbackRequest> {
    const steps = [{ name: "traffic", blueGreen: toBlue("web", more), ...step }];
    await shop.ask(name, undefined, { steps, verification: { checks: [] } });
    return shop.ended(name);
  }

  async function colorOf({ namespace }: Shop): Promise<string | undefined> {
    return (await serviceOf(world.client, namespace)).spec.selector?.["version"];
  }

  /** What waits to be finished, as `Deployment/web-green 0`. */
  async function dueOf({ namespace }: Shop): Promise<readonly string[]> {
    const { items } = await world.client.list(ROLLBACK_LEDGERS, { namespace, signal });
    return items.flatMap(({ spec }) => (spec.due ?? []).map(({ object, restore }) => `${object} ${restore}`));
  }

  async function writesOf({ namespace, executor }: Shop): Promise<readonly string[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({ namespace, actor: executor })
      .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"));
  }

  const stories: Record<string, () => Promise<void>> = {};

  stories["brings the idle colour up, moves all endpoints to it, and takes the old one away after the hold"] =
    async () => {
      const shop = await open("flip", { idle: 0 });

      const ended = await ask(shop, "undo", { holdFor: "4s" });

      expect([ended.status?.phase, readyOf(ended).reason]).toEqual(["Succeeded", "RolledBack"]);
      expect(await colorOf(shop)).toBe("blue");
      expect(await endpointsOf(world.client, "flip", "web")).toEqual(
        await podsOfColor(world.client, "flip", "web", "blue"),
      );
      expect((await shop.live("web-green")).spec.replicas).toBe(2);
      expect(await dueOf(shop)).toEqual(["Deployment/web-green 0"]);

      await until(
        "green is gone",
        () => shop.live("web-green"),
        ({ spec }) => spec.replicas === 0,
      );
      await until(
        "nothing is due",
        () => dueOf(shop),
        (due) => due.length === 0,
      );
      expect((await shop.live("web-blue")).spec.replicas).toBe(2);
      expect(await writesOf(shop)).toEqual(["web-blue/scale", "web", "web-green/scale"]);
      await eventOf("flip", "TemporaryChangeFinished", "Deployment/web-green set to 0 replicas");
    };

  stories["raises the minReplicas of an autoscaler for the time of the hold only"] = async () => {
    const shop = await open("autoscaled", { idle: 1 });
    await openHpa(world.client, "autoscaled", "web-blue", { minReplicas: 1, maxReplicas: 5 });

    const { status } = await ask(shop, "undo", { holdFor: "3s", afterHold: "Keep" });

    expect(status?.phase).toBe("Succeeded");
    expect((await shop.live("web-blue")).spec.replicas).toBe(2);
    const bounds = () =>
      world.kubectl(["get", "hpa/web-blue", "-n", "autoscaled", "-o", "jsonpath={.spec.minReplicas}"]);
    expect(await bounds()).toBe("2");
    await until("minReplicas is back", bounds, (min) => min === "1");
    await until(
      "nothing is due",
      () => dueOf(shop),
      (due) => due.length === 0,
    );
    // Its number is the autoscaler's own.
    expect(await writesOf(shop)).toEqual(["web-blue", "web", "web-blue"]);
    expect((await shop.live("web-green")).spec.replicas).toBe(2);
  };

  stories["leaves an old colour alone that somebody scaled in the hold"] = async () => {
    const shop = await open("foreign");
    await ask(shop, "undo", { holdFor: "3s" });
    await world.kubectl(["scale", "deployment/web-green", "--replicas=1", "-n", "foreign"]);

    await eventOf("foreign", "TemporaryChangeKept", "was set to 1 replica by somebody else");
    await until(
      "nothing is due",
      () => dueOf(shop),
      (due) => due.length === 0,
    );
    expect((await shop.live("web-green")).spec.replicas).toBe(1);
  };

  stories["leaves an old colour alone that has got the traffic back"] = async () => {
    const shop = await open("returned");
    await ask(shop, "undo", { holdFor: "3s" });
    await editService(world.client, "returned", "web", {
      op: "replace",
      path: "/spec/selector/version",
      value: "green",
    });

    await eventOf("returned", "TemporaryChangeKept", "the selector of Service/web is another one now");
    expect((await shop.live("web-green")).spec.replicas).toBe(2);
  };

  stories["leaves an old colour alone that another Service has come to need"] = async () => {
    const shop = await open("needed");
    await ask(shop, "undo", { holdFor: "3s" });
    await world.client.create(
      serviceType,
      {
        metadata: { namespace: "needed", name: "preview" },
        spec: { selector: { site: "web", version: "green" }, ports: [{ port: 80 }] },
      },
      { signal },
    );

    await eventOf("needed", "TemporaryChangeKept", "Service/preview has no other pods");
    expect((await shop.live("web-green")).spec.replicas).toBe(2);
  };

  stories["goes back within the hold, and then the first request takes nothing away"] = async () => {
    const shop = await open("again");
    await ask(shop, "undo", { holdFor: "5s" });
    const { status } = await ask(shop, "redo", { to: "green", holdFor: "1h" });

    expect(status?.phase).toBe("Succeeded");
    expect(await colorOf(shop)).toBe("green");
    expect(await dueOf(shop)).toEqual(["Deployment/web-blue 0"]);
    expect((await shop.live("web-green")).spec.replicas).toBe(2);
    expect(await writesOf(shop)).toEqual(["web", "web"]);
  };

  stories["changes no colour whose pods never get ready, and takes what it started away again"] =
    async () => {
      const shop = await open("unready", { idle: 0, blueImage: "web:slow" });

      const ended = await ask(shop, "undo", { holdFor: "1s" }, { timeout: "2s" });

      expect(ended.status?.phase).toBe("Failed");
      expect(readyOf(ended)).toMatchObject({ reason: "Stuck" });
      expect(readyOf(ended).message).toContain("0/2 pods of Deployment/web-blue are Ready for Service/web");
      expect(readyOf(ended).message).toContain("what was raised for it is put back by itself");
      expect(await colorOf(shop)).toBe("green");
      await until(
        "blue is gone again",
        () => shop.live("web-blue"),
        ({ spec }) => spec.replicas === 0,
      );
      await until(
        "nothing is due",
        () => dueOf(shop),
        (due) => due.length === 0,
      );
      expect((await shop.live("web-green")).spec.replicas).toBe(2);
    };

  stories["has nothing to do where the colour is live"] = async () => {
    const shop = await open("idle");

    const ended = await ask(shop, "undo", { to: "green" });

    expect([ended.status?.phase, readyOf(ended).reason]).toEqual(["Succeeded", "NothingToDo"]);
    expect(await writesOf(shop)).toEqual([]);
  };

  stories["refuses before anything is changed"] = async () => {
    const shop = await open("refused");
    const { namespace } = shop;
    const refusals: Record<string, string> = {};
    async function refused(name: string, more: object = {}): Promise<void> {
      const ended = await ask(shop, name, more);
      expect([name, ended.status?.phase]).toEqual([name, "Failed"]);
      refusals[name] = `${readyOf(ended).reason}: ${readyOf(ended).message}`;
    }
    const edit = (path: string, value: unknown) =>
      editService(world.client, namespace, "web", { op: "replace", path, value });

    await refused("wrong-key", { label: "track" });
    await refused("wrong-workload", {
      colors: [
        { color: "blue", kind: "Deployment", name: "web-green" },
        { color: "green", kind: "Deployment", name: "web-blue" },
      ],
    });
    await refused("no-workload", {
      colors: [
        { color: "blue", kind: "StatefulSet", name: "nowhere" },
        { color: "green", kind: "Deployment", name: "web-green" },
      ],
    });
    await edit("/spec/ports", [{ name: "http", port: 80, targetPort: "grpc" }]);
    await refused("no-port");
    await edit("/spec/ports", [{ name: "http", port: 80, targetPort: "http" }]);
    await shop.release(
      (template) => ({
        ...template,
        spec: {
          ...template.spec,
          containers: template.spec.containers.map((each) => ({ ...each, image: "web:v1" })),
        },
      }),
      "web-green",
    );
    await refused("same-version");
    await shop.release("web:v2", "web-green");
    await openHpa(world.client, namespace, "web-blue", { minReplicas: 1, maxReplicas: 1 });
    await refused("too-small");
    await world.kubectl(["delete", "hpa/web-blue", "-n", namespace]);
    await world.kubectl([
      "patch",
      "service/web",
      "-n",
      namespace,
      "--type=merge",
      "-p",
      JSON.stringify({
        metadata: {
          ownerReferences: [{ apiVersion: "flagger.app/v1beta1", kind: "Canary", name: "web", uid: "u" }],
        },
      }),
    ]);
    await refused("flagger");
    await world.kubectl([
      "patch",
      "service/web",
      "-n",
      namespace,
      "--type=merge",
      "-p",
      JSON.stringify({ metadata: { ownerReferences: [], labels: { "serving.knative.dev/service": "web" } } }),
    ]);
    await refused("knative");
    await world.kubectl([
      "patch",
      "service/web",
      "-n",
      namespace,
      "--type=merge",
      "-p",
      JSON.stringify({
        metadata: { labels: { "serving.knative.dev/service": null } },
        spec: { selector: { "rollouts-pod-template-hash": "abc" } },
      }),
    ]);
    await refused("rollouts");
    await edit("/spec/selector", { site: "web", version: "green" });
    const made = async (apiVersion: string, kind: string, name: string, spec: object) => {
      const object = { apiVersion, kind, metadata: { name }, spec };
      await world.kubectl(["apply", "-n", namespace, "-f", "-"], JSON.stringify(object));
    };
    await made("argoproj.io/v1alpha1", "Rollout", "site", {
      strategy: { blueGreen: { activeService: "web" } },
    });
    await refused("rollout-service");
    await world.kubectl(["delete", "rollout/site", "-n", namespace]);
    await made("flagger.app/v1beta1", "Canary", "web", { targetRef: { kind: "Deployment", name: "web" } });
    await refused("canary-service");
    await world.kubectl(["delete", "canary/web", "-n", namespace]);
    await made("keda.sh/v1alpha1", "ScaledObject", "blue", { scaleTargetRef: { name: "web-blue" } });
    await refused("keda", { replicas: 3 });

    expect(refusals).toMatchObject({
      "wrong-key": expect.stringMatching(
        /^UnknownColor: .*selects no track, which is none of the colors blue, green/,
      ),
      "wrong-workload": expect.stringMatching(
        /^SelectorMismatch: .*would select no pod of Deployment\/web-green.*lacks version=blue/,
      ),
      "no-workload": expect.stringMatching(/^TargetNotFound: .*StatefulSet\/nowhere does not exist/),
      "no-port": expect.stringMatching(
        /^PortNotFound: .*container port named grpc, which Deployment\/web-blue has not/,
      ),
      "same-version": expect.stringMatching(/^SameVersion: /),
      "too-small": expect.stringMatching(/^CapacityTooSmall: .*at most 1 pods, and 2 are needed/),
      flagger: expect.stringMatching(/^TargetOwned: .*Flagger/),
      knative: expect.stringMatching(/^TargetOwned: .*Knative/),
      rollouts: expect.stringMatching(/^TargetOwned: .*switched by Argo Rollouts/),
      "rollout-service": expect.stringMatching(/^TargetOwned: .*switched by Argo Rollouts Rollout site/),
      "canary-service": expect.stringMatching(/^TargetOwned: .*switched by Flagger Canary web/),
      keda: expect.stringMatching(/^TargetOwned: .*has 2 of 3 pods and is scaled by KEDA ScaledObject blue/),
    });
    expect(await writesOf(shop)).toEqual([]);
    expect(await dueOf(shop)).toEqual([]);
  };

  stories["waits with an old colour that is frozen, or whose executor lost a right, and says so"] =
    async () => {
      const shop = await open("frozen");
      await ask(shop, "undo", { holdFor: "3s" });
      const note = "rollback.llm-research-lab.io/freeze";
      await world.kubectl(["annotate", "deployment/web-green", `${note}=true`, "-n", "frozen"]);
      await eventOf(
        "frozen",
        "TemporaryChangeStuck",
        `Deployment/web-green has the annotation ${note}: remove it`,
      );

      const other = await open("disowned");
      await ask(other, "undo", { holdFor: "3s" });
      await world.kubectl(["delete", "rolebinding/rollback-executor", "-n", "disowned"]);
      await eventOf("disowned", "TemporaryChangeStuck", "patch deployments/scale.apps web-green");

      for (const each of [shop, other]) {
        expect((await each.live("web-green")).spec.replicas).toBe(2);
        expect(await dueOf(each)).toEqual(["Deployment/web-green 0"]);
      }
    };

  inParallel(stories, TEST_MS);

  it(
    "finishes after a restart what was due, and nothing while the kill switch is on",
    async () => {
      const shop = await open("later");
      const { namespace } = shop;
      await ask(shop, "undo", { holdFor: "4s" });
      const key = { namespace: "rollback-system", name: "rollback-kill-switch" };
      await world.client.create(configMapType, { metadata: key, data: { stop: "true" } }, { signal });
      const { items } = await world.client.list(ROLLBACK_LEDGERS, { namespace, signal });
      const dueAt = Date.parse(items.flatMap(({ spec }) => spec.due ?? [])[0]?.dueAt ?? "");
      await until(
        "it is overdue",
        async () => Date.now(),
        (now) => now > dueAt + 2_000,
      );
      expect((await shop.live("web-green")).spec.replicas).toBe(2);

      await operator?.kill();
      await world.operator({ config: SHORT_LEASE });
      await world.client.delete(configMapType, key, { signal });

      await until(
        "green is gone",
        () => shop.live("web-green"),
        ({ spec }) => spec.replicas === 0,
        30_000,
      );
      await until(
        "nothing is due",
        () => dueOf(shop),
        (due) => due.length === 0,
      );
      expect(await writesOf(shop)).toEqual(["web", "web-green/scale"]);
    },
    TEST_MS,
  );

  /** Waits for an event about a request of the namespace. */
  async function eventOf(namespace: string, reason: string, note: string): Promise<void> {
    await until(
      `event ${reason}`,
      () => world.kubectl(["get", "events.v1.events.k8s.io", "-n", namespace, "-o", "json"]),
      (json) =>
        (JSON.parse(json) as { items: { reason: string; note: string }[] }).items.some(
          (event) => event.reason === reason && event.note.includes(note),
        ),
    );
  }
});
