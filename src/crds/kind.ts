import type { z } from "zod";

/** A column of `kubectl get`; priority 1 shows with `-o wide` only. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "date" | "integer";
  readonly jsonPath: string;
  readonly priority?: number;
}

/** One kind of ours: the single source of its types, defaults, CRD and reference page. */
export interface KindDefinition {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: z.ZodType;
  /** Absent for a kind without a status subresource. */
  readonly status?: z.ZodType;
  readonly columns: readonly PrinterColumn[];
}
