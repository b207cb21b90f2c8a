import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { loadCredentials, staticCredentials } from "./credentials.ts";
import { createFakeClock } from "./testing/fake-clock.ts";

let dir: string;
const clock = createFakeClock();

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "credentials-"));
});

afterEach(() => rm(dir, { recursive: true }));

const file = (name: string, text: string) => writeFile(join(dir, name), text);

describe("credentials of a pod", () => {
  const load = (host = "10.0.0.1") =>
    loadCredentials({
      clock,
      serviceAccountRoot: dir,
      env: { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: "443" },
    });

  beforeEach(async () => {
    await file("token", "t1\n");
    await file("ca.crt", "CA1");
    await file("namespace", "ops\n");
  });

  it("come from the mounted files and are read again after a minute, or at once when asked", async () => {
    const credentials = await load();
    expect(credentials).toMatchObject({ server: "https://10.0.0.1:443", caData: "CA1", namespace: "ops" });
    await file("token", "t2");
    await file("ca.crt", "CA2");
    await clock.advance(59_999);
    expect(await credentials.headers()).toEqual({ authorization: "Bearer t1" });
    await clock.advance(1);
    expect(await credentials.headers()).toEqual({ authorization: "Bearer t2" });
    expect(credentials.caData).toBe("CA2");
    await file("token", "t3");
    await credentials.refresh();
    expect(await credentials.headers()).toEqual({ authorization: "Bearer t3" });
  });

  it("know IPv6, and say what is missing", async () => {
    expect((await load("fd00::1")).server).toBe("https://[fd00::1]:443");
    await expect(loadCredentials({ clock, env: {} })).rejects.toThrow(/not in a pod/);
    await rm(join(dir, "token"));
    await expect(load()).rejects.toThrow(/ENOENT/);
  });
});

describe("credentials of a kubeconfig", () => {
  const config = (user: object, cluster: object = {}) =>
    file(
      "config",
      JSON.stringify({
        "current-context": "one",
        contexts: [
          { name: "one", context: { cluster: "c", user: "u", namespace: "team" } },
          { name: "two", context: { cluster: "d", user: "u" } },
        ],
        clusters: [
          {
            name: "c",
            cluster: { server: "https://c:6443/", "certificate-authority-data": base64("CA"), ...cluster },
          },
          {
            name: "d",
            cluster: { server: "https://d:6443", "insecure-skip-tls-verify": true, "tls-server-name": "x" },
          },
        ],
        users: [{ name: "u", user }],
      }),
    );
  /**
   * In a process of its own: client-node and its dependencies are ES modules, which Jest's CommonJS cannot load.
   * Loads the file, runs `steps` with the credentials, and returns them with the last headers.
   */
  async function load(context?: string, steps = ""): Promise<Record<string, unknown>> {
    const module = join(dirname(expect.getState().testPath!), "credentials.ts");
    const options = JSON.stringify({ kubeconfig: join(dir, "config"), context });
    const script = `
      import { loadCredentials } from ${JSON.stringify(module)};
      let time = 0;
      const loaded = await loadCredentials({ ...${options}, clock: { monotonic: () => time } });
      ${steps};
      process.stdout.write(JSON.stringify({ ...loaded, seen: await loaded.headers() }));`;
    const node = ["--no-warnings", "--input-type=module", "--eval", script];
    return JSON.parse((await promisify(execFile)(process.execPath, node)).stdout) as Record<string, unknown>;
  }

  it("give server, CA, token and namespace", async () => {
    await config({ token: "abc" });
    expect(await load()).toMatchObject({
      server: "https://c:6443",
      caData: "CA",
      namespace: "team",
      insecureSkipTlsVerify: false,
      seen: { authorization: "Bearer abc" },
    });
  });

  it("give a client certificate, and another context", async () => {
    await config({ "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") });
    expect(await load("two")).toMatchObject({
      server: "https://d:6443",
      clientCert: "CERT",
      clientKey: "KEY",
      insecureSkipTlsVerify: true,
      tlsServerName: "x",
    });
    await expect(load("three")).rejects.toThrow(/no context "three"/);
  });

  it("ask an exec plug-in once, and again only when told to", async () => {
    const calls = join(dir, "calls");
    const credential = JSON.stringify({ kind: "ExecCredential", status: { token: "from-plugin" } });
    const script = `echo x >> ${calls}; echo '${credential}'`;
    await config({
      exec: { apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: ["-c", script] },
    });
    const count = async () => (await readFile(calls, "utf8")).split("\n").length - 1;
    const again = "time += 120_000; await Promise.all([loaded.headers(), loaded.headers()]);";
    expect(await load(undefined, again)).toMatchObject({ seen: { authorization: "Bearer from-plugin" } });
    expect(await count()).toBe(1);
    await load(undefined, "await Promise.all([loaded.refresh(), loaded.refresh()]);");
    expect(await count()).toBe(3);
  });
});

describe("static credentials", () => {
  it("need no files", async () => {
    const credentials = staticCredentials({ server: "https://c:6443/", caData: "CA", token: "t" });
    expect(credentials).toMatchObject({ server: "https://c:6443", caData: "CA" });
    expect(await credentials.headers()).toEqual({ authorization: "Bearer t" });
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
