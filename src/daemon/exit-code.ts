/** How the daemon ends; documented in docs/configuration.md. */
export const ExitCode = {
  /** Stopped as asked. */
  STOPPED: 0,
  /** Could not start, or failed while it ran. */
  FAILED: 1,
  /** A flag, a variable or the configuration file is wrong. */
  CONFIGURATION: 2,
  /** Another daemon answers on the socket, or the TCP address is in use. */
  ADDRESS_IN_USE: 3,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Why the daemon does not start; the message is for the person who started it. */
export class StartError extends Error {
  override readonly name = "StartError";

  constructor(
    readonly exitCode: ExitCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
