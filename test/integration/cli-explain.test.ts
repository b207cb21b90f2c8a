import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { GUARDS } from "../../src/decision/guards/chain.ts";
import { startCli, userOf, type Cli } from "../support/cli.ts";
import { ERROR_RATE, startPolicyLab, type PolicyLab } from "../support/policy-lab.ts";
import { until } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 180_000;

/** Where the manifests put it; the operator of the lab has read the same from a file. */
const CONFIG = `
apiVersion: v1
kind: ConfigMap
metadata: { name: rollback-operator, namespace: rollback-system }
data:
  operator.yaml: |
    prometheus: { servers: [{ name: default, url: "http://prometheus:9090", scrapeInterval: 1s }] }
`;

/** As much of the JSON as is looked at. */
interface Explained {
  readonly verdict: { readonly kind: string; readonly message: string };
  readonly guards: readonly { readonly guard: string; readonly state: string; readonly reason?: string }[];
}

describe("kubectl-rollback explain", () => {
  let lab: PolicyLab;
  let alice: Cli;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["healthy", "blind", "held"] });
    await lab.world.kubectl(["apply", "-f", "-"], CONFIG);
  }, START_MS);

  afterAll(() => lab?.stop(), START_MS);

  /** As an administrator. */
  function explain(...args: readonly string[]) {
    return startCli(["explain", ...args], lab.world.controlPlane.kubeconfigPath).ended;
  }

  async function explained(namespace: string): Promise<Explained> {
    return JSON.parse((await explain("web", "-n", namespace, "-o", "json")).stdout) as Explained;
  }

  it(
    "says of a healthy policy that no row fires, and of a guard no more than the user sees",
    async () => {
      const service = await lab.service("healthy");
      alice = await userOf(lab.world, "alice", ["healthy"]);
      await service.watch();
      await service.baked();
      await service.released();

      const { code, stdout, stderr } = await explain("policy/web", "-n", "healthy");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const [head, target, back] = stdout.split("\n");
      expect(head).toMatch(/^web {3}would not act now: no row fires {3}\([\d:]{8} UTC\)$/);
      expect(target).toMatch(/^target {6}deploy\/web {3}revision 2 is live, started \d+m?\d*s ago, /);
      expect(back).toMatch(/^back to {5}would go back to revision 1 /);
      expect(stdout).toMatch(/^error-rate {3}Ok /m);
      expect(stdout).toMatch(/^critical {3}error-rate > 10% for 2s {3}Rollback SEV1 {3}quiet$/m);
      expect(stdout).toMatch(/^kill switch +ok +people too$/m);
      expect(stdout).toMatch(/^blast radius +ok +automatic only, warns people$/m);
      expect(stdout).toContain(
        'sum by (app, namespace) (rate(http_requests_total{app="web",namespace="healthy"}[4s]))',
      );
      expect((await explained("healthy")).guards.map(({ guard }) => guard)).toEqual(
        GUARDS.map(({ name }) => name),
      );

      const asAlice = await alice("explain", "rbp/web");
      expect(asAlice).toMatchObject({ code: 0, stderr: "" });
      expect(asAlice.stdout).toMatch(/^web {3}would not act now: no row fires/);
      expect(asAlice.stdout).toMatch(/^kill switch +not visible to you +people too +no right to get /m);
      expect(asAlice.stdout).toMatch(/^blast radius +not visible to you .* in all namespaces$/m);
      expect(asAlice.stdout).toMatch(/^cool-down +ok /m);
      expect(asAlice.stdout).toContain('it may add a label, mostly namespace="healthy"');
    },
    TEST_MS,
  );

  it(
    "says of a signal without data that it is never acted on",
    async () => {
      const service = await lab.service("blind");
      const ratio = { ...ERROR_RATE.prometheus.ratio, total: "requests_of_another_name" };
      await service.watch({ signals: [{ ...ERROR_RATE, prometheus: { ...ERROR_RATE.prometheus, ratio } }] });
      await until(
        "the signal is seen to have no data",
        () => service.policy(),
        ({ status }) => status?.signals?.[0]?.state === "NoData",
      );
      const { stdout } = await explain("web", "-n", "blind");
      expect(stdout).toMatch(/^web {3}would not act now: /);
      expect(stdout).toMatch(/^error-rate +NoData .*; never acts on missing data$/m);
      expect(stdout).toMatch(/^critical .* no verdict: its signal has no data$/m);
    },
    TEST_MS,
  );

  it(
    "says of a row that fires in the cool-down what holds it and for how long",
    async () => {
      const service = await lab.service("held");
      await service.watch();
      await service.baked();
      await service.released();
      service.traffic(50, 0.5);
      const [request] = await service.requested();
      service.traffic(50, 0);
      await service.shop.ended(request?.metadata.name ?? "");
      await until(
        "no breach any more",
        () => service.policy(),
        ({ status }) => status?.signals?.[0]?.state === "Ok",
      );
      await service.released("web:v3");
      expect((await explained("held")).verdict.message).toMatch(
        /^would not act now: no row fires; if a row fired: held by cool-down, \d+m\d*s? left$/,
      );
      service.traffic(50, 0.5);
      await service.held("Cooldown");
      await service.shows("Breached", "True");

      const { verdict, guards } = await explained("held");
      expect(verdict).toEqual({
        kind: "Held",
        message: expect.stringMatching(
          /^would not act now: row critical fires, held by cool-down, \d+m\d*s? left$/,
        ),
      });
      expect(guards.filter(({ state }) => state !== "Ok")).toEqual([
        expect.objectContaining({ guard: "cool-down", state: "Refuses", reason: "Cooldown" }),
      ]);
      const { stdout } = await explain("web", "-n", "held");
      expect(stdout).toMatch(/^critical .* fires, breaches for \d+s$/m);
      expect(stdout).toMatch(/^decided {5}Held by row critical, \d*m?\d+s ago: .*held, Cooldown: /m);
      service.traffic(50, 0);
    },
    TEST_MS,
  );

  it(
    "names a policy that does not exist",
    async () => {
      expect(await explain("none", "-n", "healthy")).toMatchObject({
        code: 1,
        stdout: "",
        stderr:
          'error: RollbackPolicy none does not exist in namespace healthy: "kubectl get rbp -n healthy" lists them\n',
      });
      expect((await explain("deploy/web")).code).toBe(2);
    },
    TEST_MS,
  );
});
