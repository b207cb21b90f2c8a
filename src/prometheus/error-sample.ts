import type { UnknownSample } from "../decision/sample.ts";
import type { PrometheusError } from "./answer.ts";

/** What failed, as the sample that stands in the place of the value. */
export function errorSample({ message: detail, isInvalidQuery }: PrometheusError): UnknownSample {
  return { kind: "Error", detail, ...(isInvalidQuery === true ? { isInvalidQuery } : {}) };
}
