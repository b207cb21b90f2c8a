import { describe, expect, it } from "@jest/globals";
import type { PodTemplateSpec, Service } from "../../kube/well-known.ts";
import { sameVersion, unfit, versionWarnings } from "./preflight.ts";

const metadata = { name: "web", namespace: "shop", uid: "u", resourceVersion: "1", creationTimestamp: "" };
const service = (targetPort: number | string, protocol = "TCP"): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata,
  spec: {
    selector: { app: "web", version: "green" },
    ports: [{ name: "http", port: 80, targetPort, protocol }],
  },
});
const template = (labels: Record<string, string>, spec: object = {}): PodTemplateSpec => ({
  metadata: { labels },
  spec: {
    containers: [{ name: "app", image: "web:v1", ports: [{ name: "http", containerPort: 8080 }] }],
    ...spec,
  },
});
const BLUE = { app: "web", version: "blue" };

describe("whether a colour can serve", () => {
  const problemOf = (of: Service, pod: PodTemplateSpec) => unfit(of, BLUE, pod, "Deployment/blue")?.reason;

  it("wants every label of the selector", () => {
    expect(problemOf(service(8080), template({ ...BLUE, tier: "front" }))).toBeUndefined();
    expect(unfit(service(8080), BLUE, template({ version: "blue" }), "Deployment/blue")).toMatchObject({
      reason: "SelectorMismatch",
      message: expect.stringContaining("its pod template lacks app=web"),
    });
  });

  it("wants ports that are named, of the right protocol, those of sidecars too", () => {
    const sidecar = { name: "proxy", ports: [{ name: "proxy", containerPort: 1 }], restartPolicy: "Always" };
    expect(problemOf(service("http"), template(BLUE))).toBeUndefined();
    // A number needs no declaration.
    expect(problemOf(service(9999), template(BLUE))).toBeUndefined();
    expect(problemOf(service("grpc"), template(BLUE))).toBe("PortNotFound");
    expect(problemOf(service("http", "UDP"), template(BLUE))).toBe("PortNotFound");
    expect(problemOf(service("proxy"), template(BLUE, { initContainers: [sidecar] }))).toBeUndefined();
    const once = { ...sidecar, restartPolicy: undefined };
    expect(problemOf(service("proxy"), template(BLUE, { initContainers: [once] }))).toBe("PortNotFound");
  });
});

describe("whether colours are the same version", () => {
  it("goes by what runs, not by labels", () => {
    const [blue, green] = [template(BLUE), template({ ...BLUE, version: "green" })];
    const other = template(BLUE, { containers: [{ name: "app", image: "web:v2" }] });
    const configured = template(BLUE, { serviceAccountName: "other" });

    expect([sameVersion(blue, green), sameVersion(blue, other), sameVersion(blue, configured)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(versionWarnings(blue, other)).toEqual([]);
    expect(versionWarnings(blue, configured)).toEqual([expect.stringContaining("the same image web:v1")]);
  });
});
