import { pino, type Logger } from "pino";

export type { Logger };

/** JSON lines on standard output: static messages, data as fields. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}
