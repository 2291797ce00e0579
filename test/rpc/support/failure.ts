import {
  type BadRequest,
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  StatusSchema,
} from "@bpfmapd/client/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import type { CallFailure } from "./raw-server.js";

/** What a call failed with, its details decoded. */
export interface DecodedFailure {
  code: number;
  message: string;
  info: ErrorInfo | undefined;
  badRequest: BadRequest | undefined;
}

/** Waits for a call to fail and decodes its status. */
export async function failureOf(call: Promise<unknown>): Promise<DecodedFailure> {
  return decodeFailure(
    await call.then(
      () => expect.fail("the call succeeded"),
      (error) => error,
    ),
  );
}

/** The status in a call's trailers; text and details must say the same. */
export function decodeFailure({ code, details, metadata }: CallFailure): DecodedFailure {
  const [bytes] = metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Uint8Array))
    return { code, message: details, info: undefined, badRequest: undefined };
  const status = fromBinary(StatusSchema, bytes);
  expect(status.code).toBe(code);
  expect(status.message).toBe(details);
  let info: ErrorInfo | undefined;
  let badRequest: BadRequest | undefined;
  for (const detail of status.details) {
    info ??= anyUnpack(detail, ErrorInfoSchema);
    badRequest ??= anyUnpack(detail, BadRequestSchema);
  }
  return { code, message: details, info, badRequest };
}
