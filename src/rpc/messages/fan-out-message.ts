import {
  type FanOutRequest,
  type FanOutResponseSchema,
  MapService,
  FanOutResult_Outcome as OutcomeEnum,
} from "@bpfmapd/client/proto";
import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { type Any, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { Metadata } from "@grpc/grpc-js";
import type { FanOut, FanOutEvent, HostCallError, HostResult, Outcome } from "../../fleet/index.js";
import { fieldError } from "../../maps/index.js";
import { decode, Undecodable } from "../adapter/codec.js";
import { DETAILS_TRAILER, errorStatus } from "../error-status.js";
import { validate } from "../validation.js";

/** Hosts that are called at a time. */
export const DEFAULT_CONCURRENCY = 64;
export const DEFAULT_HOST_TIMEOUT_MS = 30_000;
const TYPE_URL = "type.googleapis.com/";

type Response = MessageInitShape<typeof FanOutResponseSchema>;

/** RPCs by the type of their request, which no two share. */
const METHODS = new Map<string, DescMethod>(
  MapService.methods
    .filter((method) => method.methodKind !== "bidi_streaming")
    .map((method) => [method.input.typeName, method]),
);

const OUTCOMES: Readonly<Record<Outcome, OutcomeEnum>> = {
  ok: OutcomeEnum.OK,
  failed: OutcomeEnum.FAILED,
  unreachable: OutcomeEnum.UNREACHABLE,
  skipped: OutcomeEnum.SKIPPED,
};

/** What a fan-out is asked to do, without who asks; and the RPC. Throws FIELD_INVALID. */
export function toFanOut(
  request: FanOutRequest,
): Omit<FanOut, "origin" | "requestId"> & { readonly method: DescMethod } {
  const { selector, requests, concurrency, hostTimeout, timeout, maxFailures } = request;
  const method = methodOf(requests);
  if (!selector) throw fieldError("FIELD_INVALID", "selector", "is required");
  return {
    method,
    selector,
    rpc: `${method.parent.typeName}/${method.name}`,
    requests: requests.map(({ value }) => value),
    isStream: method.methodKind === "server_streaming",
    concurrency: concurrency || DEFAULT_CONCURRENCY,
    hostTimeoutMs: hostTimeout ? durationMs(hostTimeout) : DEFAULT_HOST_TIMEOUT_MS,
    timeoutMs: timeout && durationMs(timeout),
    maxFailures,
  };
}

/** The RPC that requests are for; each is checked as the host would. */
function methodOf(requests: readonly Any[]): DescMethod {
  const [{ typeUrl } = { typeUrl: "" }] = requests;
  const method = METHODS.get(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (!method) {
    throw fieldError(
      "FIELD_INVALID",
      "requests[0]",
      `${JSON.stringify(typeUrl)} is no request of MapService that can be made on many hosts`,
    );
  }
  if (requests.length > 1 && method.methodKind !== "client_streaming") {
    throw fieldError("FIELD_INVALID", "requests", `${method.name} takes one request`);
  }
  for (const [index, request] of requests.entries()) checkRequest(method, request, typeUrl, index);
  return method;
}

function checkRequest(method: DescMethod, request: Any, typeUrl: string, index: number): void {
  const field = `requests[${index}]`;
  if (request.typeUrl !== typeUrl) {
    throw fieldError("FIELD_INVALID", field, "must be of the first one's type");
  }
  const { buffer, byteOffset, byteLength } = request.value;
  const message = decode(method.input, Buffer.from(buffer, byteOffset, byteLength));
  if (message instanceof Undecodable) throw message.toError();
  validate(method.input, message);
}

/** What a fan-out tells. */
export function fanOutMessage(method: DescMethod, event: FanOutEvent): Response {
  switch (event.kind) {
    case "message": {
      const { hostId, response } = event;
      const value = { hostId, response: anyOf(method, response) };
      return { event: { case: "message", value } };
    }
    case "result":
      return { event: { case: "result", value: resultMessage(method, event) } };
    case "summary": {
      const { matched, ok, failed, unreachable, skipped } = event;
      return {
        event: { case: "summary", value: { matched, ok, failed, unreachable, skipped } },
      };
    }
  }
}

function resultMessage(
  method: DescMethod,
  { hostId, outcome, response, error, tookMs }: HostResult,
) {
  const status = error && hostErrorBytes(error);
  return {
    hostId,
    outcome: OUTCOMES[outcome],
    ...(response && { response: anyOf(method, response) }),
    ...(status && { error: status }),
    maybeDone: error?.maybeDone ?? false,
    took: durationFromMs(Math.round(tookMs)),
  };
}

/** Why a host did not answer: a serialized google.rpc.Status. */
export function hostErrorBytes({ status, cause }: HostCallError): Uint8Array {
  return status ?? (cause ? statusBytes(errorStatus(cause)) : new Uint8Array(0));
}

/** A serialized google.rpc.Status. */
function statusBytes({ metadata }: { readonly metadata: Metadata }): Uint8Array {
  const [details] = metadata.get(DETAILS_TRAILER);
  return details as Buffer;
}

function anyOf(method: DescMethod, value: Uint8Array) {
  return { typeUrl: `${TYPE_URL}${method.output.typeName}`, value };
}
