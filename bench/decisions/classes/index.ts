import type { IncidentClass } from "../incident-class.ts";
import { MISLEADING } from "./misleading.ts";
import { OUTAGES } from "./outages.ts";
import { REGRESSIONS } from "./regressions.ts";
import { TRAFFIC_AND_DATA } from "./traffic-and-data.ts";

export const CLASSES: readonly IncidentClass[] = [
  ...REGRESSIONS,
  ...OUTAGES,
  ...TRAFFIC_AND_DATA,
  ...MISLEADING,
];
