import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { RollbackLedger, RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import type { ConfigMap, Deployment, Pod, ReplicaSet } from "../../src/kube/well-known.ts";
import { actorOf, type Audit, readAudit } from "../cluster/audit.ts";
import { recordPath } from "../cluster/cluster-layout.ts";
import { readMounts } from "../cluster/mounts.ts";
import { runCommand } from "../cluster/run-command.ts";
import { CANARY, demoLayout, GOOD, NAMESPACE, ROUTE, SETTINGS } from "../demo/demo-layout.ts";
import { SYSTEM_NAMESPACE } from "../demo/operator-pods.ts";
import type { Chapter } from "../demo/story/facts.ts";
import { badTimes, readTraffic } from "../demo/story/traffic-log.ts";
import { lacksOfThisMachine } from "../support/node-machine.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";

const NAME = "e2e";
/** With an empty cache of programs, the cluster's are built first. */
const UP_MS = 1_200_000;
const DOWN_MS = 120_000;
const OPERATOR = `system:serviceaccount:${SYSTEM_NAMESPACE}:rollback-operator`;
const EXECUTOR = `system:serviceaccount:${NAMESPACE}:rollback-executor`;

/** Facts that the screen shows, of one chapter or another. */
const TOLD =
  "release breach decided patched complete healthy verified held canary settings seen asked traffic drained scaled restored clean".split(
    " ",
  );

const lacks = lacksOfThisMachine();
if (lacks !== "") console.log(`the e2e suite is skipped, this machine cannot run a node:\n${lacks}`);
const describeWithNode = lacks === "" ? describe : describe.skip;

describeWithNode("the demo on a whole cluster", () => {
  const demo = demoLayout(NAME);
  const auditLog = `${dirname(recordPath(NAME))}/audit.log`;
  let up: Ended;
  let audit: Audit;
  let chapters: readonly Chapter[];

  beforeAll(async () => {
    await play("down");
    up = await play("up");
    if (up.code !== 0) return;
    audit = await readAudit(auditLog);
    chapters = JSON.parse(readFileSync(demo.sightingsFile, "utf8")) as readonly Chapter[];
  }, UP_MS);

  afterAll(async () => {
    await play("down");
  }, DOWN_MS);

  it("succeeds, with the timelines and no stack trace on the screen", () => {
    expect(up).toMatchObject({ code: 0 });
    for (const name of TOLD) expect(up.output).toMatch(new RegExp(`\\+\\d+\\.\\d s  ${name} `));
    expect(up.output).not.toMatch(/^\s+at .*[:(]\d+/m);
  });

  it("ran the operator as two pods of its image, which wrote all that it wrote", async () => {
    const { items } = await get<{ readonly items: readonly Pod[] }>("pods", SYSTEM_NAMESPACE);
    const images = items.map(({ spec }) => spec.containers.map(({ image }) => image));

    expect(images).toEqual([["rollback-operator:dev"], ["rollback-operator:dev"]]);
    // A bound token names its pod: nothing was written by a process beside the cluster.
    const writers = audit
      .writes({ user: OPERATOR })
      .map(({ user }) => user.extra?.["authentication.kubernetes.io/pod-name"]?.[0]);
    expect(writers.length).toBeGreaterThan(0);
    const pods = items.map(({ metadata }) => metadata.name);
    expect(pods).toEqual(expect.arrayContaining([...new Set(writers)]));
  });

  it("changed the Deployment exactly three times, as the tenant's executor, by patch", () => {
    const writes = audit.writes({
      apiGroup: "apps",
      resource: "deployments",
      subresource: "",
      namespace: NAMESPACE,
      name: "web",
    });
    const byExecutor = writes.filter((event) => actorOf(event) === EXECUTOR);

    expect(byExecutor.map(({ verb }) => verb)).toEqual(["patch", "patch", "patch"]);
    expect(new Set(byExecutor.map(({ user }) => user.username))).toEqual(new Set([OPERATOR]));
    const known = ["admin", EXECUTOR, "system:serviceaccount:kube-system:deployment-controller"];
    expect(writes.map(actorOf).filter((actor) => !known.includes(actor))).toEqual([]);
  });

  it("took the release in three parts back in the order of its steps, each part by one write", async () => {
    const [, , request = ""] = chapters.map((chapter) => chapter.request);
    const { status } = await get<RollbackRequest>(`rbr/${request}`);
    const [accepted, completed] = [status?.timeline?.accepted, status?.timeline?.completed];
    const writes = audit
      .writes({ actor: EXECUTOR, namespace: NAMESPACE, verb: ["patch", "update", "delete"] })
      .filter(({ requestReceivedTimestamp: at }) => at >= (accepted ?? "") && at <= (completed ?? ""))
      .map(({ objectRef }) => [objectRef?.resource, objectRef?.name, objectRef?.subresource].filter(Boolean));

    expect(writes.map((parts) => parts.join("/"))).toEqual([
      `httproutes/${ROUTE}`,
      `deployments/${CANARY}/scale`,
      `configmaps/${SETTINGS}`,
      "deployments/web",
    ]);
    const { data } = await get<ConfigMap>(`configmap/${SETTINGS}`);
    expect(data).toEqual({ CURRENCY: "EUR" });
    const canary = await get<Deployment>(`deployment/${CANARY}`);
    expect(canary.spec.replicas).toBe(0);
    const { items } = await get<{ readonly items: readonly Pod[] }>("pods");
    expect(items.filter(({ metadata }) => metadata.labels?.["app"] === CANARY)).toEqual([]);
    // Nothing was guessed: the content had baked. And the order is one that needs no advice.
    const warnings = status?.plan?.steps.flatMap((step) => step.warnings) ?? [];
    expect(warnings.filter((text) => !text.includes("an automatic rollback"))).toEqual([
      expect.stringContaining("Deployment/web is not restarted by this step: a later one replaces its pods"),
    ]);
  });

  it("wrote all rollbacks of the Deployment into its ledger", async () => {
    const { items } = await get<{ readonly items: readonly RollbackLedger[] }>("rbl");
    const [automatic, byHand, whole] = chapters.map(({ request }) => request);
    const ofWeb = items.filter(({ spec }) => spec.target.kind === "Deployment" && spec.target.name === "web");

    expect(ofWeb.map(({ spec }) => spec)).toEqual([
      expect.objectContaining({
        marks: [
          expect.objectContaining({ revision: 2, request: automatic }),
          expect.objectContaining({ revision: 4, request: byHand }),
          expect.objectContaining({ revision: 6, request: whole }),
        ],
        automatic: [expect.objectContaining({ request: automatic, revision: 2 })],
        executed: [
          expect.objectContaining({ name: automatic, outcome: "Succeeded" }),
          expect.objectContaining({ name: byHand, outcome: "Succeeded" }),
          expect.objectContaining({ name: whole, outcome: "Succeeded" }),
        ],
      }),
    ]);
  });

  it("ended with the template of release 1, in the ReplicaSet of release 1", async () => {
    const { spec } = await get<Deployment>("deployment/web");
    const sets = (await get<{ readonly items: readonly ReplicaSet[] }>("replicasets")).items.filter(
      ({ metadata }) => metadata.labels?.["app"] === "web",
    );
    const oldest = sets.find(({ spec }) => spec.template.spec.containers[0]?.image === GOOD.image);
    const { "pod-template-hash": hash, ...labels } = oldest?.spec.template.metadata?.labels ?? {};

    expect(sets).toHaveLength(4);
    expect(hash).toBeDefined();
    expect(oldest?.status?.readyReplicas).toBe(3);
    expect(isDeepStrictEqual(spec.template.spec, oldest?.spec.template.spec)).toBe(true);
    expect(spec.template.metadata?.labels).toEqual(labels);
  });

  it("lets no request fail between the recovery from one release and the next", () => {
    const traffic = readTraffic(demo.trafficLog);
    for (const [index, { facts }] of chapters.entries()) {
      const healthyAt = facts.find(({ name }) => name === "healthy")?.at ?? Number.NaN;
      const until = chapters[index + 1]?.releasedAt ?? traffic.at(-1)?.at ?? Number.NaN;

      expect(until).toBeGreaterThan(healthyAt);
      expect(badTimes(traffic, healthyAt, until)).toEqual([]);
    }
    expect(badTimes(traffic, 0, chapters[0]?.releasedAt)).toEqual([]);
  });

  it("wrote no status that a generic reader would misread", async () => {
    expect(statusComplaints(await storedVersions(auditLog))).toEqual([]);
  });

  it(
    "leaves nothing when it is taken down",
    async () => {
      expect(processesOfDemo()).not.toEqual([]);

      expect(await play("down")).toMatchObject({ code: 0 });

      expect(processesOfDemo()).toEqual([]);
      expect(existsSync(dirname(recordPath(NAME)))).toBe(false);
      expect(existsSync(`/run/netns/rollback-${NAME}`)).toBe(false);
      expect(existsSync(`/run/rollback-operator/${NAME}`)).toBe(false);
      expect(readMounts().filter(({ path }) => path.includes(`rollback-operator/${NAME}`))).toEqual([]);
      expect(existsSync(demo.kubectl)).toBe(false);
    },
    DOWN_MS,
  );

  async function get<T>(what: string, namespace = NAMESPACE): Promise<T> {
    return JSON.parse(await runCommand([demo.kubectl, "get", what, "-n", namespace, "-o", "json"])) as T;
  }
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the demo's program as `make` does. */
function play(command: "up" | "down"): Promise<Ended> {
  const child = spawn(process.execPath, ["test/demo/main.mts", command, "--name", NAME], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

/** Command lines that name the cluster's folders or are run for its node. */
function processesOfDemo(): readonly string[] {
  const marks = [`/clusters/${NAME}/`, `/rollback-operator/${NAME}/`, `rollback-${NAME}`];
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(commandLine)
    .filter((command) => marks.some((mark) => command.includes(mark)));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}
