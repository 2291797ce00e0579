/**
 * Why nothing came of a call on rollouts:
 * - INVALID_ARGUMENT: the request breaks a rule; nothing was written.
 * - NOT_FOUND: the set has no rollout, or another one than was named.
 * - ROLLOUT_RUNNING: the set is being rolled out, or was left on two generations: no other
 *   generation can be put before that has ended.
 * - NOT_POSSIBLE: what was asked for does not go with where the rollout is.
 * - CONTENDED: others wrote to the rollout again and again meanwhile; try again.
 * - DAMAGED: what the store has of the rollout cannot be read, or is of a newer version.
 */
export type RolloutErrorCode =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ROLLOUT_RUNNING"
  | "NOT_POSSIBLE"
  | "CONTENDED"
  | "DAMAGED";

/** Nothing came of a call on rollouts; the message is for a person and names the set. */
export class RolloutError extends Error {
  override readonly name = "RolloutError";
  readonly code: RolloutErrorCode;
  /** With INVALID_ARGUMENT: what of the request is at fault, such as "waves[1].percent". */
  readonly field: string | undefined;

  constructor(
    code: RolloutErrorCode,
    message: string,
    detail: { readonly field?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.field = detail.field;
  }
}

/** The error of a field that breaks a rule. */
export function invalidField(field: string, description: string): RolloutError {
  return new RolloutError("INVALID_ARGUMENT", `${field}: ${description}`, { field });
}
