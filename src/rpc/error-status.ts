import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
  StatusSchema,
} from "@bpfmapd/client/proto";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type status } from "@grpc/grpc-js";
import type { MapError } from "../maps/index.js";
import { statusOfReason } from "./status.js";

/** Domain of every ErrorInfo of the daemon. */
export const ERROR_DOMAIN = "bpfmapd";

/** Trailer in which gRPC carries a serialized google.rpc.Status. */
export const DETAILS_TRAILER = "grpc-status-details-bin";

// A status travels twice in the trailers, as text and in the details, and peers refuse
// headers past a limit of their own (8 KiB is gRPC core's). These bounds keep well below.
const MAX_MESSAGE_CHARS = 600;
const MAX_METADATA_CHARS = 600;
const MAX_VIOLATIONS = 8;
const MAX_VIOLATION_CHARS = 200;

/** A call's outcome in the form that grpc-js takes. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** An error of gRPC's own services, whose protocols know plain statuses only. */
export class StatusError extends Error {
  override readonly name = "StatusError";

  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The status of a map error: a google.rpc.Status with an ErrorInfo, and a BadRequest
 * where fields are at fault, and a RetryInfo where it is enough to wait. What is too long
 * for trailers is shortened and says so.
 */
export function errorStatus(error: MapError): CallStatus {
  const code = statusOfReason[error.reason];
  const message = shorten(error.message, MAX_MESSAGE_CHARS);
  const details = [
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, {
        reason: error.reason,
        domain: ERROR_DOMAIN,
        metadata: shortenValues(error.metadata),
      }),
    ),
  ];
  const fieldViolations = describeViolations(error);
  if (fieldViolations.length > 0) {
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (error.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(error.retryAfterMs);
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  const metadata = new Metadata();
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  metadata.set(DETAILS_TRAILER, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return { code, details: message, metadata };
}

function describeViolations({ violations }: MapError): { field: string; description: string }[] {
  const told = violations.slice(0, MAX_VIOLATIONS).map(({ field, description }) => ({
    field: shorten(field, MAX_VIOLATION_CHARS),
    description: shorten(description, MAX_VIOLATION_CHARS),
  }));
  const untold = violations.length - told.length;
  if (untold > 0) told.push({ field: "", description: `${untold} more, not listed` });
  return told;
}

function shortenValues(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, shorten(value, MAX_METADATA_CHARS)]),
  );
}

/** Well-formed too: grpc-js puts the text through encodeURI, which throws on half a character. */
function shorten(text: string, chars: number): string {
  if (text.length <= chars) return wellFormed(text);
  return `${wellFormed(text.slice(0, chars))} (${text.length - chars} more characters)`;
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}
