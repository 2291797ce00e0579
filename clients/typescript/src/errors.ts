import { fromBinary } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** Trailer in which gRPC carries a serialized google.rpc.Status. */
const DETAILS_TRAILER = "grpc-status-details-bin";

/** Domain of the daemon's own ErrorInfo; details of other domains (a proxy's, say) are not its reasons. */
const DOMAIN = "bpfmapd";

/** A field of a request that breaks its rule. */
export interface FieldViolation {
  /** Path of the field as the proto files spell it, such as "spec.max_entries". */
  readonly field: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** What a BpfmapError carries besides its message. */
export interface BpfmapErrorInit {
  /** The gRPC status. */
  code: status;
  /** Name of an ErrorReason without its prefix, such as "MAP_FULL"; "" for none. */
  reason?: string;
  /** ErrorInfo.metadata: "map", "operation", "errno", "index", "applied" and so on. */
  metadata?: Readonly<Record<string, string>>;
  /** The fields at fault. */
  violations?: readonly FieldViolation[];
  /** What it was made from. Never sent anywhere. */
  cause?: unknown;
}

/**
 * The one error that calls of this client fail with: a status of the daemon, of
 * the connection to it, or of the client's own checks before anything was sent.
 * The message is for people; `code` and `reason` are for programs.
 *
 * Errors that a caller's own code throws (an iterable given to `load`, a progress
 * callback) are passed on as they are.
 */
export class BpfmapError extends Error {
  override readonly name = "BpfmapError";
  /** The gRPC status. */
  readonly code: status;
  /** Name of an ErrorReason without its prefix, such as "MAP_FULL"; "" where the daemon gave none. */
  readonly reason: string;
  /** What a program can use of the error: "map", "operation", "errno", "index", "applied" and so on. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields at fault; empty where the error is not about a field. */
  readonly violations: readonly FieldViolation[];

  constructor(message: string, init: BpfmapErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.reason = init.reason ?? "";
    this.metadata = init.metadata ?? {};
    this.violations = init.violations ?? [];
  }

  /**
   * Turns anything thrown into a BpfmapError. Errors of grpc-js keep their status
   * and gain the details that the daemon sent; a BpfmapError is returned as it is;
   * anything else becomes UNKNOWN with the original as `cause`.
   */
  static from(error: unknown): BpfmapError {
    if (error instanceof BpfmapError) return error;
    if (isServiceError(error)) return fromServiceError(error);
    const message = error instanceof Error ? error.message : String(error);
    return new BpfmapError(message, { code: status.UNKNOWN, cause: error });
  }

  /** The error in PipelineResponse.error: a serialized google.rpc.Status. */
  static fromStatus(bytes: Uint8Array): BpfmapError {
    const { code, message, details } = fromBinary(StatusSchema, bytes);
    return new BpfmapError(message || (status[code] ?? "unknown error"), {
      code,
      ...readDetails(details),
    });
  }
}

interface ServiceErrorLike extends Error {
  code: number;
  details: string;
  metadata: Metadata;
}

function isServiceError(error: unknown): error is ServiceErrorLike {
  if (!(error instanceof Error)) return false;
  const { code, details, metadata } = error as Partial<ServiceErrorLike>;
  return (
    typeof code === "number" &&
    code in status &&
    typeof details === "string" &&
    metadata instanceof Metadata
  );
}

function fromServiceError(error: ServiceErrorLike): BpfmapError {
  return new BpfmapError(error.details || (status[error.code] ?? "unknown error"), {
    code: error.code,
    cause: error,
    ...detailsOf(error),
  });
}

type Details = Pick<BpfmapErrorInit, "reason" | "metadata" | "violations">;

/** Details that do not parse are left out: the status itself is still worth telling. */
function detailsOf(error: ServiceErrorLike): Details {
  const [bytes] = error.metadata.get(DETAILS_TRAILER);
  if (!(bytes instanceof Uint8Array)) return {};
  try {
    return readDetails(fromBinary(StatusSchema, bytes).details);
  } catch {
    return {};
  }
}

function readDetails(details: readonly Any[]): Details {
  return Object.assign({}, ...details.map(readDetail));
}

function readDetail(detail: Any): Details {
  const info = anyUnpack(detail, ErrorInfoSchema);
  if (info?.domain === DOMAIN) return { reason: info.reason, metadata: info.metadata };
  const badRequest = anyUnpack(detail, BadRequestSchema);
  if (badRequest === undefined) return {};
  return {
    violations: badRequest.fieldViolations.map(({ field, description }) => ({
      field,
      description,
    })),
  };
}

/** An error of the client's own checks: nothing was sent. */
export function invalidArgument(
  message: string,
  field?: string,
  reason = "FIELD_INVALID",
): BpfmapError {
  return new BpfmapError(message, {
    code: status.INVALID_ARGUMENT,
    reason,
    violations: field === undefined ? [] : [{ field, description: message }],
  });
}

/** An error of a daemon that does not keep to the contract. */
export function protocolError(message: string, code: status = status.INTERNAL): BpfmapError {
  return new BpfmapError(message, { code });
}
