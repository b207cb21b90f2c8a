import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { staticCredentials } from "../../src/kube/credentials.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { createTransport } from "../../src/kube/transport.ts";
import type { AdminAccess } from "../cluster/components.ts";

export interface AdminClient {
  readonly client: KubeClient;
  close(): Promise<void>;
}

/** The cluster with an administrator's rights; works only inside the cluster's network. */
export function adminClient(access: AdminAccess, userAgent: string): AdminClient {
  const clock = systemClock();
  const { server, caData, adminToken: token } = access;
  const credentials = staticCredentials({ server, caData, token });
  const transport = createTransport({ credentials, clock, random: Math.random, userAgent });
  return { client: createKubeClient({ transport, clock }), close: () => transport.close() };
}
