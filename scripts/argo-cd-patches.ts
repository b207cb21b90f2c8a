import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { GROUP } from "../src/crds/common.ts";

const FOLDER = "deploy/argo-cd";
const KINDS = ["RollbackPolicy", "RollbackRequest"];
const HEADER = "# Generated from the Lua beside it by `make argo-cd`. Do not edit.\n";

/** Offered only where an admin asks for it: with it, Argo CD's account approves. */
const APPROVE = "approve";
const APPROVAL = "local APPROVAL = true\n";
const ACCOUNT = `-- The account with which Argo CD writes to this cluster.
local ACCOUNT = "system:serviceaccount:argocd:argocd-server"
`;

/** Path below the repository and text of each patch of ConfigMap argocd-cm. */
export function argoCdPatches(): ReadonlyMap<string, string> {
  const settings = KINDS.flatMap((kind) => [
    [`resource.customizations.health.${GROUP}_${kind}`, read(kind, "health.lua")],
    [`resource.customizations.actions.${GROUP}_${kind}`, actions(kind, false)],
  ]);
  const approval = [
    [`resource.customizations.actions.${GROUP}_RollbackRequest`, actions("RollbackRequest", true)],
  ];
  return new Map([
    [`${FOLDER}/argocd-cm.yaml`, patch(settings)],
    [`${FOLDER}/with-approval/argocd-cm.yaml`, patch(approval)],
  ]);
}

function patch(settings: readonly (readonly string[])[]): string {
  const map = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "argocd-cm", namespace: "argocd" },
    data: Object.fromEntries(settings),
  };
  return HEADER + stringify(map, { lineWidth: 0 });
}

/** The value of `resource.customizations.actions.*`: YAML within YAML. */
function actions(kind: string, withApproval: boolean): string {
  const folder = join(FOLDER, kind, "actions");
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => withApproval || name !== APPROVE)
    .toSorted();
  const discovery = read(kind, "actions/discovery.lua");
  const value = {
    "discovery.lua": withApproval ? APPROVAL + discovery : discovery,
    definitions: names.map((name) => {
      const script = read(kind, `actions/${name}/action.lua`);
      return { name, "action.lua": name === APPROVE ? ACCOUNT + script : script };
    }),
  };
  return stringify(value, { lineWidth: 0 });
}

function read(kind: string, file: string): string {
  return readFileSync(join(FOLDER, kind, file), "utf8");
}
