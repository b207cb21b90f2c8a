import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { ControlPlane } from "../cluster/control-plane.ts";
import { startControlPlane } from "../cluster/control-plane.ts";
import { kubectlFor, type Kubectl } from "../support/kubectl.ts";
import { kstatusOf, type ConditionedObject } from "../support/kstatus.ts";
import { installOperator } from "../support/operator-process.ts";

const START_MS = 90_000;
const TEST_MS = 30_000;

type Fields = Readonly<Record<string, unknown>>;

interface Verified {
  readonly verification: { readonly checks: readonly { readonly http?: Fields }[] };
}

const API_VERSION = "rollback.llm-research-lab.io/v1alpha1";
const WORKLOAD = { kind: "Deployment", name: "web" };

/** The kinds as the API server judges them; no operator runs here. */
describe("the kinds in the API server", () => {
  let controlPlane: ControlPlane;
  let kubectl: Kubectl;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: false });
    kubectl = await kubectlFor(controlPlane.kubeconfigPath);
    await installOperator(kubectl);
  }, START_MS);

  afterAll(async () => {
    await controlPlane?.stop();
  }, START_MS);

  function create(object: Fields, ...flags: readonly string[]) {
    return kubectl.attempt(["create", "-f", "-", "-o", "json", ...flags], JSON.stringify(object));
  }

  describe("a RollbackRequest", () => {
    it.each<readonly [string, Fields, string]>([
      ["two members in `to`", step({ revision: 1, strategy: "Previous" }), both("strategy", "revision")],
      ["no member in `to`", step({}), both("strategy", "revision")],
      ["an unknown strategy", step({ strategy: "Newest" }), 'to.strategy: Unsupported value: "Newest"'],
      ["revision 0", step({ revision: 0 }), "to.revision: Invalid value: 0"],
      ["a revision in quotes", step({ revision: "5" }), "to.revision: Invalid value"],
      ["a deadline of no unit", { ...step(), deadline: "90" }, "spec.deadline: Invalid value"],
      ["a deadline in days", { ...step(), deadline: "1d" }, "spec.deadline: Invalid value"],
      ["an unknown severity", { ...step(), severity: "High" }, 'spec.severity: Unsupported value: "High"'],
      ["a reason too long", { ...step(), reason: "x".repeat(1025) }, "spec.reason: Too long"],
      ["an account that is no name", { ...step(), serviceAccountName: "a/b" }, "spec.serviceAccountName"],
      ["a hash that is none", { ...step(), expect: { podTemplateHash: "A-B" } }, "expect.podTemplateHash"],
      [
        "neither policy nor steps",
        { reason: "x" },
        "must have `policyRef`, or `steps` whose `workload` has `kind` and `name`",
      ],
      [
        "a step without a workload's name and no policy",
        { steps: [{ name: "app", workload: { to: { revision: 1 } } }] },
        "must have `policyRef`, or `steps`",
      ],
      [
        "a workload's name without its kind",
        { steps: [{ name: "app", workload: { name: "web" } }] },
        "must have both `kind` and `name`, or neither",
      ],
      [
        "another kind of workload",
        { steps: [{ name: "app", workload: { kind: "CronJob", name: "web" } }] },
        'workload.kind: Unsupported value: "CronJob"',
      ],
      [
        "a step of no kind",
        { steps: [{ name: "app" }] },
        "must have exactly one of `workload`, `scale`, `restart`",
      ],
      [
        "a step of two kinds",
        { steps: [{ name: "app", workload: WORKLOAD, restart: WORKLOAD }] },
        "must have exactly one of `workload`, `scale`, `restart`",
      ],
      [
        "a negative number of replicas",
        { steps: [{ name: "app", scale: { ...WORKLOAD, replicas: -1 } }] },
        "scale.replicas: Invalid value: -1",
      ],
      [
        "scaling something that has no replicas",
        { steps: [{ name: "app", scale: { kind: "DaemonSet", name: "web", replicas: 1 } }] },
        'scale.kind: Unsupported value: "DaemonSet"',
      ],
      [
        "a canary in no route",
        { steps: [{ name: "app", canary: { canary: { host: "a" }, stable: { host: "b" } } }] },
        "must have exactly one of `virtualService`, `httpRoute`, `grpcRoute`",
      ],
      [
        "a subset in a route that knows none",
        {
          steps: [
            {
              name: "app",
              canary: { httpRoute: "web", canary: { host: "a", subset: "c" }, stable: { host: "b" } },
            },
          ],
        },
        "a `subset` is Istio's",
      ],
      [
        "a canary whose requests get more time than the step",
        {
          steps: [
            {
              name: "app",
              timeout: "1m",
              canary: { httpRoute: "web", canary: { host: "a" }, stable: { host: "b" }, drain: "1m" },
            },
          ],
        },
        "`drain` must be shorter than the step's `timeout`",
      ],
      ["no step at all", { steps: [] }, "spec.steps in body should have at least 1 items"],
      [
        "a check of two kinds",
        { ...step(), verification: { checks: [{ name: "c", pods: {}, version: {} }] } },
        "must have exactly one of `pods`, `http`, `smoke`, `signal`, `version`",
      ],
      [
        "two checks of one name",
        {
          ...step(),
          verification: {
            checks: [
              { name: "c", pods: {} },
              { name: "c", version: {} },
            ],
          },
        },
        "Duplicate value",
      ],
      [
        "samples twice a second",
        { ...step(), verification: { interval: "500ms" } },
        'verification.interval: Invalid value: "500ms": must be at least 1s',
      ],
      [
        "a soak of nothing",
        verified({ soak: "0s" }),
        'soak: Invalid value: "0s": must be between 1s and 24h',
      ],
      ["a soak of days", verified({ soak: "48h" }), "must be between 1s and 24h"],
      [
        "a soak shorter than its interval",
        verified({ soak: "5s" }),
        "`interval` must not be longer than `soak`",
      ],
      ["a deadline of nothing", { ...step(), deadline: "0s" }, "must be between 1s and 24h"],
      [
        "a step that may take no time",
        { steps: [{ name: "app", timeout: "0s", workload: WORKLOAD }] },
        "must be between 1s and 24h",
      ],
      [
        "a signal check without a policy",
        verified({ checks: [{ name: "c", signal: { name: "errors", below: "0.1" } }] }),
        "a `signal` check needs `policyRef`",
      ],
      ["a path with dot segments", http({ path: "/a/../b" }), "must have no empty or dot segments"],
      [
        "a path with escaped dot segments",
        http({ path: "/a/%2E%2e/b" }),
        "must have no empty or dot segments",
      ],
      ["a path escaped twice", http({ path: "/%252e%252e/b" }), "no escaped separators"],
      ["a path to another host", http({ path: "//host/" }), "must have no empty or dot segments"],
      ["a URL for a path", http({ path: "http://host/" }), "http.path: Invalid value"],
      ["a line break in a path", http({ path: "/a\r\nb" }), "http.path: Invalid value"],
      [
        "a path of a smoke test with a dot segment",
        smoke(["/ok", "/.."]),
        "smoke.requests[1]: Invalid value",
      ],
      ["more passes than tries", http({ passes: 3, of: 2 }), "`passes` must not be more than `of`"],
      ["a sample of minutes", http({ timeout: "30s", of: 3 }), "must not be more than 60s"],
      ["port 0", http({ port: 0 }), "must be the name of a port, or a number from 1 to 65535"],
      ["a port that is no name", http({ port: "Web_1" }), "must be the name of a port"],
      ["a port that is a list", http({ port: [80] }), "http.port: Invalid value"],
      ["no time for a request", http({ timeout: "0s" }), "must be between 100ms and 30s"],
      ["a latency of nothing", http({ latency: "0s" }), "must be more than 0s"],
      ["a latency past the timeout", http({ latency: "6s" }), "`latency` must not be longer than `timeout`"],
      ["a status that is none", http({ expect: { status: [99] } }), "http.expect.status[0]"],
      ["a pointer that is none", http({ expect: { json: { pointer: "a", equals: "b" } } }), "json.pointer"],
      ["a smoke test of nothing", smoke([]), "smoke.requests in body should have at least 1 items"],
      [
        "a plan and steps",
        { ...step(), policyRef: { name: "web" }, plan: "application" },
        "set it without `steps`",
      ],
      [
        "a plan of no policy",
        { ...step(), plan: "application" },
        "`plan` is the name of a plan of `policyRef`",
      ],
      [
        "a run without approval to wait for",
        { ...step(), runAfter: "1m" },
        "`runAfter` needs `approval: Required`",
      ],
      [
        "a run after it has expired",
        { ...step(), approval: "Required", runAfter: "30m" },
        "must be shorter than `expiresAfter`",
      ],
      ["an approval of another kind", { ...step(), approval: "Maybe" }, "spec.approval: Unsupported value"],
      ["a field of another tool", { ...step(), rollbackTo: 5 }, 'unknown field "spec.rollbackTo"'],
    ])(
      "with %s is refused, naming it",
      async (_, spec, message) => {
        const { code, stderr } = await create(request("bad", spec));

        expect(code).not.toBe(0);
        expect(stderr).toContain(message);
      },
      TEST_MS,
    );

    it.each<readonly [string, Fields, Fields]>([
      [
        "http",
        http({ path: "/health?full=1" }),
        { expect: { status: [200] }, timeout: "5s", passes: 1, of: 1, path: "/health?full=1" },
      ],
      ["a port by number", http({ port: 80 }), { port: 80 }],
      [
        "a port by name",
        http({ port: "http-2", expect: { json: { pointer: "", equals: "" } } }),
        { port: "http-2" },
      ],
    ])(
      "may check by %s",
      async (_, spec, expected) => {
        const { stdout, stderr } = await create(request("http", spec), "--dry-run=server");

        expect(stderr).toBe("");
        const { verification } = (JSON.parse(stdout) as { readonly spec: Verified }).spec;
        expect(verification.checks[0]?.http).toMatchObject(expected);
      },
      TEST_MS,
    );

    it(
      "whose name does not fit into a label is refused",
      async () => {
        const { stderr } = await create(request("x".repeat(64), step()));

        expect(stderr).toMatch(/63/);
      },
      TEST_MS,
    );

    it(
      "is frozen; its annotations and labels are not",
      async () => {
        await create(request("frozen", step()));
        const patch = (value: Fields) =>
          kubectl.attempt(["patch", "rbr", "frozen", "--type=merge", "-p", JSON.stringify(value)]);

        expect((await patch({ spec: { reason: "another" } })).stderr).toContain(
          "spec is immutable: create a new RollbackRequest with a new name",
        );
        expect((await patch({ spec: { steps: null, policyRef: { name: "p" } } })).stderr).toContain(
          "spec is immutable",
        );
        const annotations = { "rollback.llm-research-lab.io/abort": "true" };
        expect((await patch({ metadata: { annotations, labels: { a: "b" } } })).code).toBe(0);
      },
      TEST_MS,
    );

    it(
      "is in progress from its first moment, and has its defaults written down",
      async () => {
        const { stdout } = await create(
          request("new", { steps: [{ name: "app", workload: { kind: "Deployment", name: "web" } }] }),
        );

        const created = JSON.parse(stdout) as ConditionedObject & { readonly spec: Fields };
        expect(created.status).toEqual({ observedGeneration: -1 });
        expect(kstatusOf(created)).toBe("InProgress");
        expect(created.spec).toEqual({
          reason: "",
          approval: "Auto",
          onFailure: "Stop",
          expiresAfter: "30m",
          deadline: "30m",
          dryRun: false,
          steps: [
            { name: "app", timeout: "5m", workload: { ...WORKLOAD, to: { strategy: "LastKnownGood" } } },
          ],
        });
      },
      TEST_MS,
    );

    it(
      "cannot be born finished: a status that its maker gives is dropped",
      async () => {
        const status = { phase: "Succeeded", observedGeneration: 1 };
        const { stdout } = await create({ ...request("forged", step()), status });

        expect((JSON.parse(stdout) as ConditionedObject).status).toEqual({ observedGeneration: -1 });
      },
      TEST_MS,
    );
  });

  it(
    "nobody but the operator may write a status, with the roles that we ship",
    async () => {
      const canI = (kind: string, account: string) =>
        kubectl.attempt([
          "auth",
          "can-i",
          "update",
          `${kind}.rollback.llm-research-lab.io`,
          "--subresource=status",
          `--as=system:serviceaccount:${account}`,
        ]);
      const answers = await Promise.all(
        ["rollbackrequests", "rollbackpolicies"].flatMap((kind) => [
          canI(kind, "default:rollback-executor"),
          canI(kind, "rollback-system:rollback-operator"),
        ]),
      );

      expect(answers.map(({ stdout }) => stdout.trim())).toEqual(["no", "yes", "no", "yes"]);
    },
    TEST_MS,
  );
});

function step(to: Fields = { strategy: "Previous" }): Fields {
  return { steps: [{ name: "app", workload: { ...WORKLOAD, to } }] };
}

function verified(verification: Fields): Fields {
  return { ...step(), verification };
}

function http(change: Fields): Fields {
  return verified({ checks: [{ name: "c", http: { service: "web", path: "/", ...change } }] });
}

function smoke(requests: readonly string[]): Fields {
  return verified({ checks: [{ name: "c", smoke: { service: "web", requests } }] });
}

function both(one: string, other: string): string {
  return `must have exactly one of \`${one}\`, \`${other}\``;
}

function request(name: string, spec: Fields): Fields {
  return {
    apiVersion: API_VERSION,
    kind: "RollbackRequest",
    metadata: { name, namespace: "default" },
    spec,
  };
}
