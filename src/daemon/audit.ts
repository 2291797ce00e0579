import type { Logger } from "pino";
import { AuditLog } from "../access/index.js";
import type { AuditOptions } from "../rpc/index.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";

/** Opens the audit log where one is set. Throws a StartError. */
export function openAudit(
  { file, keys, on_failure: onFailure }: Config["audit"],
  version: string,
  log: Logger,
): AuditOptions | undefined {
  if (file === undefined) return undefined;
  const onTrouble = (err: Error) =>
    log.error(
      { file, err: err.message, onFailure },
      onFailure === "refuse"
        ? "the audit log cannot be written: changes are refused"
        : "the audit log cannot be written: changes go on",
    );
  const onRecovered = (lost: number) =>
    log.warn({ file, lost }, "the audit log can be written again");
  try {
    const audit = new AuditLog({ file, onTrouble, onRecovered });
    // Whether lines can be written shows before the first change.
    void audit.add({ time: new Date().toISOString(), event: "start", version, pid: process.pid });
    return { log: audit, keys, onFailure };
  } catch (cause) {
    throw new StartError(
      ExitCode.CONFIGURATION,
      `audit.file: cannot open it: ${(cause as Error).message}`,
      { cause },
    );
  }
}
