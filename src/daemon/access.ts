import type { Logger } from "pino";
import {
  AccessControl,
  BearerTokens,
  type FileEvents,
  readKeySet,
  readPolicy,
  WatchedFiles,
} from "../access/index.js";
import type { MapHost } from "../maps/index.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";

/** Who may call what. */
export interface Access {
  /** Absent where nobody asks who calls: for want of a policy, of tokens and of an audit. */
  readonly control: AccessControl | undefined;
  /** Looks at files no more. */
  close(): void;
}

/**
 * Reads the policy and the keys of tokens. Throws a StartError.
 *
 * @param isAudited whether calls are asked who makes them for the audit
 */
export function openAccess(
  settings: Config["access"],
  host: MapHost | undefined,
  isAudited: boolean,
  log: Logger,
): Access {
  const { policy: policyPath, tokens: rules } = settings;
  const policy = policyPath && follow("access.policy", policyPath, readPolicy, log);
  const keys = rules.jwks && follow("access.tokens.jwks", rules.jwks, readKeySet, log);
  const files = [policy, keys].filter((file) => file !== undefined && file !== "");
  const control =
    files.length === 0 && !isAudited
      ? undefined
      : new AccessControl({
          host,
          ...(policy && { policy }),
          ...(keys && { tokens: new BearerTokens(keys, rules) }),
        });
  return {
    control,
    close() {
      for (const file of files) file.close();
    },
  };
}

function follow<T>(
  setting: string,
  path: string,
  read: (text: string) => T,
  log: Logger,
): WatchedFiles<T> {
  try {
    return new WatchedFiles([path], ([bytes]) => read(String(bytes)), fileEvents(setting, log));
  } catch (cause) {
    throw new StartError(
      ExitCode.CONFIGURATION,
      `${setting}: ${path}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** Tells the log of files that are read again. */
export function fileEvents(setting: string, log: Logger): FileEvents {
  return {
    onReloaded: (path) => log.info({ setting, path }, "file has changed and is in force"),
    onRefused: (path, why) =>
      log.error(
        { setting, path, err: why },
        "file has changed and is not valid: the old one stays",
      ),
  };
}
