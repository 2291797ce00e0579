import {
  effectiveCapabilities,
  hasMoreThan,
  KernelError,
  raiseMemlockIfCharged,
  restartWithCapabilities,
} from "../kernel/index.js";
import type { Config } from "./config.js";
import { ExitCode, StartError } from "./exit-code.js";
import { inheritedSockets } from "./inherited-sockets.js";
import { capabilitiesToKeep, type Role } from "./needed-capabilities.js";

const STDIO = [0, 1, 2];

/**
 * Sees to it that the process has no capabilities but those that the configuration lets
 * it keep. Where it has more, it starts itself anew without them, and this does not come
 * back: the pid stays, and so does what a service manager handed over. Throws a
 * StartError where that cannot be done.
 */
export function dropCapabilities(config: Config, role: Role): void {
  const keep = capabilitiesToKeep(config, role);
  if (keep === undefined || !hasMoreThan(keep)) return;
  // Limits outlive the restart; CAP_SYS_RESOURCE, which raises them, does not.
  if (effectiveCapabilities().has("CAP_SYS_RESOURCE")) raiseMemlockIfCharged();
  const program = process.execPath;
  const args = [program, ...process.execArgv, ...process.argv.slice(1)];
  try {
    restartWithCapabilities(keep, { program, args, fds: [...STDIO, ...inheritedSockets()] });
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    throw new StartError(
      ExitCode.FAILED,
      `the daemon cannot drop capabilities: ${cause.message}; "capabilities: [all]" keeps them`,
      { cause },
    );
  }
}
