/**
 * Why an operation on a map failed: the names of the contract's `ErrorReason`
 * without their prefix. `src/rpc/status.ts` gives each its gRPC status.
 */
export type MapErrorReason =
  | "MAP_NOT_FOUND"
  | "PIN_NOT_FOUND"
  | "HOLD_NOT_FOUND"
  | "ELEMENT_NOT_FOUND"
  | "ELEMENT_EXISTS"
  | "PIN_EXISTS"
  | "HOLD_EXISTS"
  | "MAP_FULL"
  | "MAP_FROZEN"
  | "KERNEL_DENIED"
  | "OPERATION_NOT_SUPPORTED"
  | "FIELD_INVALID"
  | "KEY_SIZE_MISMATCH"
  | "VALUE_SIZE_MISMATCH"
  | "KEY_OUT_OF_RANGE"
  | "CPU_OUT_OF_RANGE"
  | "NAME_AMBIGUOUS"
  | "BOOT_ID_MISMATCH"
  | "PIN_PATH_INVALID"
  | "PIN_PATH_OUTSIDE_ROOT"
  | "NOT_A_MAP"
  | "SPEC_INVALID"
  | "UNKNOWN_FLAG"
  | "UNKNOWN_MAP_TYPE"
  | "MAP_INCOMPATIBLE"
  | "MAP_CONTENDED"
  | "KERNEL_MEMORY"
  | "LIMIT_EXCEEDED"
  | "DAEMON_STOPPING"
  | "KERNEL_ERROR"
  | "INTERNAL"
  | "FILE_DESCRIPTORS"
  | "RESUME_TOKEN_INVALID"
  | "FIDELITY_NOT_AVAILABLE"
  | "OBJECT_NOT_FOUND"
  | "OBJECT_WRONG_KIND"
  | "OBJECT_UNSUITABLE"
  | "NO_TYPES"
  | "TYPE_NOT_FOUND"
  | "TYPE_SIZE_MISMATCH"
  | "JSON_INVALID"
  | "RECORD_TOO_LARGE"
  | "RING_FULL"
  | "RING_BUSY"
  | "UNAUTHENTICATED"
  | "ACCESS_DENIED"
  | "AUDIT_UNAVAILABLE"
  | "CALLER_LIMIT_EXCEEDED"
  | "HOLDS_UNAVAILABLE"
  | "NO_HOST_MATCHES"
  | "HOST_UNREACHABLE"
  | "RELAY_NOT_TRUSTED"
  | "HOST_NOT_PROVEN"
  | "SESSION_REPLACED"
  | "SESSION_PROTOCOL"
  | "STORE_UNAVAILABLE"
  | "MAP_SET_NOT_FOUND"
  | "GENERATION_CONFLICT"
  | "MAP_SET_CONTENDED"
  | "MAP_SET_CHANGED"
  | "MAP_SET_UNFIT"
  | "ROLLOUT_NOT_FOUND"
  | "ROLLOUT_RUNNING"
  | "ROLLOUT_NOT_POSSIBLE";

/** A field of the request that breaks a rule. */
export interface FieldViolation {
  /** Path of the field in the contract's spelling, such as `spec.max_entries`. */
  readonly field: string;
  /** What is wrong with it, with the value given and the value wanted. */
  readonly description: string;
}

/** What a {@link MapError} carries beside its reason and message. */
export interface MapErrorDetail {
  /** The fields at fault. */
  readonly violations?: readonly FieldViolation[];
  /** What a program can use: "map", "operation", "errno", "index", "applied", "ids". */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When it is worth to try again, in milliseconds, where it is enough to wait. */
  readonly retryAfterMs?: number | undefined;
  /** What lies behind it; logged, never sent. */
  readonly cause?: unknown;
}

/** An operation on a map failed; the message is for a person and names the map. */
export class MapError extends Error {
  override readonly name = "MapError";
  readonly reason: MapErrorReason;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;

  constructor(reason: MapErrorReason, message: string, detail: MapErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.reason = reason;
    this.violations = detail.violations ?? [];
    this.metadata = detail.metadata ?? {};
    this.retryAfterMs = detail.retryAfterMs;
  }

  /** The same error with more metadata, such as the index of the element at fault. */
  with(metadata: Readonly<Record<string, string>>): MapError {
    return new MapError(this.reason, this.message, {
      violations: this.violations,
      metadata: { ...this.metadata, ...metadata },
      retryAfterMs: this.retryAfterMs,
      cause: this.cause,
    });
  }

  /** The same error, naming the map (`OpenMap.label`) unless it names one already. */
  about(map: string): MapError {
    if (this.metadata.map !== undefined) return this;
    const message = this.message.includes(map) ? this.message : `${map}: ${this.message}`;
    return new MapError(this.reason, message, {
      violations: this.violations,
      metadata: { ...this.metadata, map },
      retryAfterMs: this.retryAfterMs,
      cause: this.cause,
    });
  }
}

/** The error of one request field that breaks a rule. */
export function fieldError(reason: MapErrorReason, field: string, description: string): MapError {
  return new MapError(reason, `${field}: ${description}`, {
    violations: [{ field, description }],
  });
}
