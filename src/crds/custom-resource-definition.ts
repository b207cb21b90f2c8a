import { API_VERSION, GROUP, VERSION } from "./common.ts";
import type { KindDefinition } from "./kind.ts";
import { RollbackLedgerKind } from "./rollback-ledger.ts";
import { RollbackPolicyKind } from "./rollback-policy.ts";
import { RollbackRequestKind } from "./rollback-request-kind.ts";
import { structuralSchema } from "./structural-schema.ts";

export const KINDS: readonly KindDefinition[] = [RollbackPolicyKind, RollbackRequestKind, RollbackLedgerKind];

/** The CustomResourceDefinition of a kind, ready to be written as YAML. */
export function customResourceDefinition(kind: KindDefinition) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: [...kind.shortNames],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(kind.status === undefined ? {} : { subresources: { status: {} } }),
          additionalPrinterColumns: kind.columns.map((column) => ({ ...column })),
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  };
}

function rootSchema(kind: KindDefinition) {
  return {
    type: "object",
    description: kind.description,
    required: ["spec"],
    "x-kubernetes-validations": [
      {
        rule: "self.metadata.name.size() <= 63",
        message: "metadata.name must have at most 63 characters, so that it fits into a label",
      },
    ],
    properties: {
      apiVersion: { type: "string", description: `Always ${API_VERSION}.` },
      kind: { type: "string", description: `Always ${kind.kind}.` },
      // The API server allows nothing but the type here.
      metadata: { type: "object" },
      spec: structuralSchema(kind.spec),
      ...(kind.status === undefined ? {} : { status: structuralSchema(kind.status) }),
    },
  };
}
