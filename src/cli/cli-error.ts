/** A wrong command line or a local failure (a file, say); the message is for a person. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
