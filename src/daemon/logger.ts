import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import pretty from "pino-pretty";
import type { Config } from "./config.js";

const STDERR = 2;

/**
 * The daemon's log on standard error: one JSON object a line, or lines for people. Written
 * at once, so that the last lines before an end are there too.
 */
export function createLogger({ level, format }: Config["log"]): Logger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    format === "pretty" ? prettyStream() : destination({ fd: STDERR, sync: true }),
  );
}

/** The same log, but telling everything from info up, whatever its level. */
export function announcer(log: Logger): Logger {
  return log.child({}, log.isLevelEnabled("info") ? {} : { level: "info" });
}

function prettyStream(): DestinationStream {
  return pretty({ destination: STDERR, sync: true, colorize: process.stderr.isTTY });
}
