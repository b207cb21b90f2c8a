import { stringify } from "yaml";
import { GROUP } from "./common.ts";
import { customResourceDefinition, KINDS } from "./custom-resource-definition.ts";

const HEADER = "# Generated from src/crds by `make crds`. Do not edit.\n";

/** Path below the repository and text of every generated CRD file. */
export function crdFiles(): ReadonlyMap<string, string> {
  return new Map(
    KINDS.map((kind) => [
      `deploy/crds/${GROUP}_${kind.plural}.yaml`,
      HEADER + stringify(customResourceDefinition(kind), { aliasDuplicateObjects: false, lineWidth: 120 }),
    ]),
  );
}
