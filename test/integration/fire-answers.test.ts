import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { jsonAnswer, statusAnswer, type ApiAnswer, type Interceptor } from "../support/fault-proxy.ts";
import { isLeaderLease } from "../support/fault-proxy-lease.ts";
import {
  answered,
  cutAt,
  first,
  isAct,
  isStatusWrite,
  lost,
  lostAfterwards,
  oneInThree,
  within,
} from "../support/faults.ts";
import { page, startFireLab, type FireLab } from "../support/fire-lab.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { openShop, sameStoredTemplate, type Shop } from "../support/shop.ts";

/** Calls that fail are tried again after backoffs of seconds, and the machine may be busy. */
const PATIENCE_MS = 120_000;

/** Every one must end Succeeded, with one PATCH of the target. */
const FAULTS: Readonly<Record<string, Interceptor>> = {
  "one connection in three lost before the call arrives": oneInThree(lost),
  "one answer in three lost": oneInThree(lostAfterwards),
  "the first ten answers lost": first(10, () => true, lostAfterwards),
  "the answer of the act lost": first(1, isAct, lostAfterwards),
  "the act lost before it arrives": first(1, isAct, lost),
  "the answer of the act cut at byte 1": first(1, isAct, cutAt(1)),
  "the answer of the act cut at byte 400": first(1, isAct, cutAt(400)),
  "every answer cut at byte 100, twelve times": first(12, () => true, cutAt(100)),
  "500 to the act": first(2, isAct, answered(statusAnswer(500, "InternalError"))),
  "500 to one call in three": oneInThree(answered(statusAnswer(500, "InternalError"))),
  "a storm of conflicts on status writes": first(8, isStatusWrite, answered(statusAnswer(409, "Conflict"))),
  "html from a gateway": first(
    6,
    () => true,
    async () => ({
      status: 502,
      headers: ["content-type", "text/html"],
      body: Buffer.from("<html>502</html>"),
    }),
  ),
};

let lab: FireLab;
let operator: OperatorProcess;

beforeAll(async () => {
  lab = await startFireLab();
  operator = await lab.start();
}, 120_000);

afterAll(() => lab?.stop(), 60_000);

let ordinal = 0;
async function shop(): Promise<Shop> {
  const opened = await openShop(lab.world, `fire-${(ordinal += 1)}`);
  await opened.open();
  await opened.release("web:v2");
  return opened;
}

async function isDoneOnce(opened: Shop, request: string): Promise<void> {
  const ended = await opened.ended(request, PATIENCE_MS);
  expect([
    ended.status?.phase,
    ended.status?.conditions?.find(({ type }) => type === "Ready")?.message,
  ]).toEqual(["Succeeded", expect.stringContaining("rolled back to revision")]);
  expect((await opened.acts()).map(({ verb }) => verb)).toEqual(["patch"]);
  expect((await opened.live()).spec.template.spec.containers[0]?.image).toBe("web:v1");
}

describe("answers of the API server that fail", () => {
  it.each(Object.entries(FAULTS))(
    "%s: done once, and Succeeded",
    async (_name, fault) => {
      const opened = await shop();
      lab.proxy.intercept(within(opened.namespace, fault));
      await opened.ask("undo");
      await isDoneOnce(opened, "undo");
      lab.proxy.intercept(undefined);
    },
    150_000,
  );

  it("429 with Retry-After: the act waits that long and is done once", async () => {
    const opened = await shop();
    const asked: number[] = [];
    const refuse = first(1, isAct, answered(statusAnswer(429, "TooManyRequests", ["retry-after", "2"])));
    lab.proxy.intercept(
      within(opened.namespace, (call, forward) => {
        if (isAct(call)) asked.push(performance.now());
        return refuse(call, forward);
      }),
    );
    await opened.ask("undo");
    await isDoneOnce(opened, "undo");
    lab.proxy.intercept(undefined);
    expect(asked).toHaveLength(2);
    expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThanOrEqual(2_000);
  }, 60_000);

  it("every answer late: done once", async () => {
    const opened = await shop();
    lab.proxy.intercept(async (call, forward) => {
      if (!isLeaderLease(call)) await new Promise((resolve) => setTimeout(resolve, 300));
      return forward();
    });
    await opened.ask("undo");
    await isDoneOnce(opened, "undo");
    lab.proxy.intercept(undefined);
  }, 120_000);

  it("counts failed calls by their code", async () => {
    const { text } = await page(operator, "/metrics");
    for (const code of ["0", "409", "429", "500", "502"]) {
      expect(text).toMatch(new RegExp(`rest_client_requests_total\\{[^}]*code="${code}"[^}]*\\} [1-9]`));
    }
    expect((await page(operator, "/healthz")).status).toBe(200);
    expect((await page(operator, "/readyz")).status).toBe(200);
  });
});

describe("objects that hold more than we know", () => {
  it("puts back fields of a newer API that no type of ours names", async () => {
    const opened = await shop();
    const patches: string[] = [];
    lab.proxy.intercept(
      within(opened.namespace, async (call, forward) => {
        if (call.method === "PATCH" && call.path.includes("/deployments/")) patches.push(call.body);
        const answer = await forward();
        const isRead = call.method === "GET" && /\/(deployments|replicasets)(\/|$)/.test(call.path);
        return isRead && answer.status === 200 ? withNewField(answer) : answer;
      }),
    );
    await opened.ask("undo");
    // The dry run is the act to the letter. The server here does not know the field, and refuses it.
    const ended = await opened.ended("undo", PATIENCE_MS);
    lab.proxy.intercept(undefined);
    expect(ended.status?.phase).toBe("Failed");
    expect(patches.join("\n")).toContain('"fieldOfTheFuture":{"kept":true}');
  }, 60_000);

  it("puts back a template of nearly a megabyte as it was", async () => {
    const opened = await openShop(lab.world, "huge");
    const env = Array.from({ length: 600 }, (_, index) => ({
      name: `BIG_${index}`,
      value: "x".repeat(1_000),
    }));
    const made = await opened.open("web", {
      template: (template) => ({
        ...template,
        spec: { containers: template.spec.containers.map((each) => ({ ...each, env })) },
      }),
    });
    await opened.release("web:v2");
    await opened.ask("undo");
    await isDoneOnce(opened, "undo");
    expect(sameStoredTemplate(await opened.live(), made)).toBe(true);
  }, 90_000);
});

/** The pod template of each object gets a field that no type knows. */
function withNewField(answer: ApiAnswer): ApiAnswer {
  interface Templated {
    readonly spec?: { readonly template?: { readonly spec?: Record<string, unknown> } };
  }
  const body = JSON.parse(answer.body.toString("utf8")) as Templated & {
    readonly items?: readonly Templated[];
  };
  for (const { spec } of body.items ?? [body]) {
    if (spec?.template?.spec !== undefined) spec.template.spec["fieldOfTheFuture"] = { kept: true };
  }
  return jsonAnswer(answer.status, body);
}
