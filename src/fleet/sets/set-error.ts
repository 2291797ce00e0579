/**
 * Why nothing came of a call on map sets:
 * - INVALID_ARGUMENT: the request breaks a rule; nothing was written.
 * - NOT_FOUND: there is no such set, or no such generation of it any more.
 * - GENERATION_CONFLICT: the set is at another generation than the caller expects; `generation`
 *   tells which. Read it anew and decide again.
 * - CONTENDED: others wrote to the set again and again meanwhile; try again.
 * - TOO_LARGE: more than a set may hold.
 * - GONE: contents that were to be read have been replaced and collected; begin anew.
 * - DAMAGED: what the store has of the set cannot be read, or is of a newer version.
 */
export type SetErrorCode =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "GENERATION_CONFLICT"
  | "CONTENDED"
  | "TOO_LARGE"
  | "GONE"
  | "DAMAGED";

/** What a {@link SetError} carries beside its code and message. */
export interface SetErrorDetail {
  /** See {@link SetError.generation}. */
  readonly generation?: number;
  /** See {@link SetError.field}. */
  readonly field?: string;
  readonly cause?: unknown;
}

/** Nothing came of a call on map sets; the message is for a person and names the set. */
export class SetError extends Error {
  override readonly name = "SetError";
  readonly code: SetErrorCode;
  /** With GENERATION_CONFLICT: the present generation; 0 where there is no such set. */
  readonly generation: number | undefined;
  /** With INVALID_ARGUMENT: what of the request is at fault, such as "elements.keys". */
  readonly field: string | undefined;

  constructor(code: SetErrorCode, message: string, detail: SetErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.generation = detail.generation;
    this.field = detail.field;
  }
}

/** The error of a field that breaks a rule. */
export function invalidField(field: string, description: string): SetError {
  return new SetError("INVALID_ARGUMENT", `${field}: ${description}`, { field });
}

/** The error of a set that is not there. */
export function setNotFound(name: string): SetError {
  return new SetError("NOT_FOUND", `there is no map set "${name}"`);
}
