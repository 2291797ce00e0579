import { setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";

/**
 * Takes what grpc-js writes into the daemon's log, at level debug: by itself it writes
 * lines of its own form to standard error, and any client can make it do so.
 */
export function takeLibraryLog(log: Logger): void {
  const tell = (text: unknown) => log.debug({ text: String(text) }, "grpc-js");
  setLogger({ error: tell, info: tell, debug: tell });
}
