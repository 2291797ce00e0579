import { status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { CallObserver } from "./call-observer.js";

/** Writes a line for each call at its end, at level debug. */
export function requestLog(log: Logger): CallObserver {
  return {
    begin({ rpc, peer }) {
      const begin = process.hrtime.bigint();
      return {
        ended(code, details) {
          log.debug(
            {
              rpc,
              status: status[code],
              ...(code !== status.OK && details !== "" && { details }),
              durationMs: Number(process.hrtime.bigint() - begin) / 1e6,
              peer,
            },
            "request",
          );
        },
      };
    },
  };
}
