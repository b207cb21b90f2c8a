import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { defectsOfOneRollback, isAtRest } from "../support/crash-facts.ts";
import { crashPoint, isAbout } from "../support/crash-points.ts";
import {
  startCrashWorld,
  untilLeading,
  type CrashWorld,
  type ProxiedOperator,
} from "../support/crash-world.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { until } from "../support/world.ts";

const NAMESPACE = "shop";
const signal = new AbortController().signal;

/** What an approval sets going: the plan shown, the lock taken, the finalizer set, the act announced and made. */
const POINTS = [
  "PUT rollbackrequests/status #1",
  "POST leases #1",
  "PATCH rollbackrequests #1",
  "PUT rollbackrequests/status #2",
  "PATCH deployments #1",
];
const scenarios = POINTS.map((point, index) => ({ point, deployment: `approved-${index}` }));

describe("the operator dies between an approval and its act", () => {
  let crashes: CrashWorld;
  let leader: ProxiedOperator;

  beforeAll(async () => {
    crashes = await startCrashWorld();
    await crashes.world.tenant(NAMESPACE);
    await crashes.releaseTwice(
      NAMESPACE,
      scenarios.map(({ deployment }) => deployment),
    );
    leader = await crashes.spawn();
    await untilLeading(leader);
  }, 120_000);

  afterAll(() => crashes?.stop(), 60_000);

  it.each(scenarios)(
    "at $point: the next one does what was approved, once",
    async ({ point, deployment }) => {
      const { client } = crashes.world;
      const dying = leader;
      const struck = Promise.withResolvers<void>();
      const crash = crashPoint({
        mode: "answer-lost",
        point,
        concerns: (call) => isAbout(call, NAMESPACE, deployment),
        async strike() {
          await dying.kill();
          struck.resolve();
        },
      });
      dying.proxy.intercept(crash.interceptor);
      await crashes.createRequest(NAMESPACE, deployment, deployment, { approval: "Required" });
      const read = () => crashes.world.request(`${NAMESPACE}/${deployment}`);
      const waiting = await until("it waits", read, ({ status }) => status?.phase === "AwaitingApproval");
      const annotations = {
        [REQUEST_ANNOTATIONS.approve]: waiting.status?.plan?.digest ?? "",
        [REQUEST_ANNOTATIONS.approvedBy]: "alice",
      };
      const key = { namespace: NAMESPACE, name: deployment };
      await client.patch(ROLLBACK_REQUESTS, key, mergePatch({ metadata: { annotations } }), { signal });
      await struck.promise;
      leader = await crashes.spawn();
      const ended = await until(`${deployment} at rest`, read, isAtRest, 40_000);

      expect(crash.hit()).toContain(point);
      expect(defectsOfOneRollback(await crashes.facts(NAMESPACE, deployment))).toEqual([]);
      expect(ended.status?.conditions?.find(({ type }) => type === "Approved")).toMatchObject({
        status: "True",
        message: `approved by alice: plan ${waiting.status?.plan?.digest}`,
      });
    },
    90_000,
  );

  it("every status that was ever written reads well", async () => {
    expect(statusComplaints(await storedVersions(crashes.world.controlPlane.auditLogPath))).toEqual([]);
  });
});
