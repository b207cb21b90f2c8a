import { parseConfig } from "../../config/load.ts";
import { OperatorConfig } from "../../config/schema.ts";
import { readKillSwitch, type KillSwitchState } from "../../controllers/kill-switch-state.ts";
import { readLedger } from "../../controllers/ledger/ledger.ts";
import { errorMessage, isNotFound } from "../../kube/errors.ts";
import {
  ROLLBACK_LEDGERS,
  ROLLBACK_POLICIES,
  ROLLBACK_REQUESTS,
  type RollbackPolicy,
} from "../../kube/rollback-kinds.ts";
import { configMapType, deploymentType, replicaSetType } from "../../kube/well-known.ts";
import { CliError } from "../errors.ts";
import type { Session } from "../session.ts";
import { leaderFindings } from "../surroundings.ts";
import { hidden, look, seen, type Seen } from "./seen.ts";
import type { OperatorState, Snapshot } from "./snapshot.ts";

/** Where the operator's manifests put its configuration. */
export const CONFIG_PLACE = { namespace: "rollback-system", name: "rollback-operator" } as const;
export const CONFIG_FILE = "operator.yaml";

/** Reads all that an explanation is made from, as far as this user may. Throws KubeError, CliError without the policy. */
export async function readSnapshot(session: Session, name: string): Promise<Snapshot> {
  const { client, namespace, namespaceFlag, clock, signal } = session;
  const policy = await readPolicy(session, name);
  const { target } = policy.spec;
  const key = { namespace, name: target.name };
  const [deployment, replicaSets, ledger, requests, ledgers, policies, config, operator] = await Promise.all([
    look("get deployments", () => client.tryGet(deploymentType, key, { signal })),
    look("list replicasets", async () => (await client.list(replicaSetType, { namespace, signal })).items),
    look("get rollbackledgers", async () => {
      const stored = await readLedger(client, { group: "apps", kind: target.kind, ...key }, signal);
      return stored?.spec;
    }),
    look("list rollbackrequests", async () => {
      return (await client.list(ROLLBACK_REQUESTS, { namespace, signal })).items;
    }),
    look("list rollbackledgers in all namespaces", async () => {
      return (await client.list(ROLLBACK_LEDGERS, { signal })).items;
    }),
    look("list rollbackpolicies in all namespaces", async () => {
      return (await client.list(ROLLBACK_POLICIES, { signal })).items;
    }),
    readConfig(session),
    operatorState(session),
  ]);
  return {
    now: clock.now(),
    namespace,
    namespaceFlag,
    policy,
    deployment,
    replicaSets,
    ledger,
    requests,
    ledgers,
    policies,
    config,
    killSwitch: await killSwitchOf(session, config),
    operator,
  };
}

async function readPolicy(
  { client, namespace, namespaceFlag, signal }: Session,
  name: string,
): Promise<RollbackPolicy> {
  try {
    return await client.get(ROLLBACK_POLICIES, { namespace, name }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const message = `RollbackPolicy ${name} does not exist in namespace ${namespace}: "kubectl get rbp${namespaceFlag}" lists them`;
    throw new CliError(message, { cause: error });
  }
}

async function readConfig({ client, signal }: Session): Promise<Seen<OperatorConfig>> {
  const where = `ConfigMap ${CONFIG_PLACE.namespace}/${CONFIG_PLACE.name}`;
  const found = await look(`get ${where}, the operator's configuration`, () =>
    client.tryGet(configMapType, CONFIG_PLACE, { signal }),
  );
  if (found.kind === "Hidden") return found;
  const text = found.value?.data?.[CONFIG_FILE];
  if (text === undefined) return hidden(`the operator's configuration is not in ${where}`);
  try {
    return seen(parseConfig(text, where));
  } catch (error) {
    return hidden(`the operator's configuration cannot be read: ${errorMessage(error)}`);
  }
}

async function killSwitchOf(
  { client, signal }: Session,
  config: Seen<OperatorConfig>,
): Promise<Seen<KillSwitchState>> {
  const { namespace, killSwitch } = config.kind === "Seen" ? config.value : OperatorConfig.parse({});
  const place = { namespace, ...killSwitch };
  const where = `ConfigMap ${namespace}/${killSwitch.configMap}`;
  const found = await look(`get ${where}`, () =>
    client.tryGet(configMapType, { namespace, name: killSwitch.configMap }, { signal }),
  );
  if (found.kind === "Hidden") return found;
  const state = readKillSwitch(found.value, place);
  // Where it usually is it is off, but only the configuration tells where it is.
  return config.kind === "Hidden" && state.kind === "Off"
    ? hidden(`off in ${where}, but the operator may look elsewhere: ${config.why}`)
    : seen(state);
}

async function operatorState(session: Session): Promise<Seen<OperatorState>> {
  const [finding] = await leaderFindings(session);
  if (finding === undefined) return hidden("its Lease cannot be read");
  return seen({ leads: finding.state === "Ok", message: finding.message });
}
