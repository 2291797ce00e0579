/** A wrong command line or a local failure (a file, say); the message is for a person. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/** The user has ended what runs until then: nothing is to be said about it. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
