import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { WatchedFiles } from "../access/index.js";
import type { DialTls } from "../fleet/index.js";
import { fileEvents } from "./access.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";

/** Certificates are read again when their files change. */
export function followTls(
  tls: Config["fleet"]["tls"],
  log: Logger,
): WatchedFiles<DialTls> | undefined {
  if (!tls) return undefined;
  const { ca, cert, key, crl, min_version: minVersion } = tls;
  const files = [ca, cert, key, ...(crl === undefined ? [] : [crl])];
  const read = ([ca, cert, key, crl]: readonly Buffer[]) => {
    const options: DialTls = { ca, cert, key, minVersion, ...(crl && { crl }) };
    createSecureContext(options); // throws where they do not fit together
    return options;
  };
  try {
    return new WatchedFiles(files, read, fileEvents("fleet.tls", log));
  } catch (cause) {
    throw new StartError(
      ExitCode.CONFIGURATION,
      `fleet.tls: cannot use ${files.join(", ")}: ${(cause as Error).message}`,
      { cause },
    );
  }
}
