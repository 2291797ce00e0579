import { status } from "@bpfmapd/client";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ErrorReason,
  MapService,
  PipelineResponseSchema,
  StatusSchema,
} from "@bpfmapd/client/proto";
import { type DescMethod, fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { MapErrorReason } from "#dist/maps/index.js";
import { statusOfReason } from "#dist/rpc/status.js";
import { messagesOf, type Outcome } from "../../service/support/raw-grpc.js";
import type { FuzzCall } from "./requests.js";
import { rpcName } from "./served-rpcs.js";

const PIPELINE = rpcName(MapService.method.pipeline);

/** What of an answer the contract does not allow; undefined for a good one. */
export function wrongIn(
  rpc: DescMethod,
  call: FuzzCall,
  outcome: Outcome,
  wasCancelled: boolean,
): string | undefined {
  const { status: code, details } = outcome;
  if (code === undefined) {
    const isRefused = call.isForeign && (outcome.rstCode !== 0 || outcome.http !== 200);
    return wasCancelled || isRefused ? undefined : "the call ended without a status";
  }
  if (call.isForeign && code === status.INTERNAL && !details) return undefined;
  const wrong = wrongStatus(code) ?? (details && wrongDetails(code, details));
  if (wrong) return wrong;
  if (code === status.OK) return wrongAnswer(rpc, call, outcome);
  const tellsWhy = rpc.parent.typeName.startsWith("bpfmap.") && !call.isForeign;
  return tellsWhy && !details ? `${status[code]} without details` : undefined;
}

function wrongStatus(code: number): string | undefined {
  if (status[code] === undefined) return `${code} is no status of gRPC`;
  // An errno that nobody has thought of, or a defect: the contract has both, and neither may be.
  if (code === status.UNKNOWN || code === status.INTERNAL) return `it is ${status[code]}`;
  return undefined;
}

function wrongDetails(code: number, bytes: Uint8Array): string | undefined {
  const told = fromBinary(StatusSchema, bytes);
  if (told.code !== code) return `its details say ${told.code}`;
  const [info] = told.details.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? []);
  if (info?.domain !== "bpfmapd") return `its details have the domain ${info?.domain}`;
  if (ErrorReason[info.reason as keyof typeof ErrorReason] === undefined) {
    return `the contract has no reason ${info.reason}`;
  }
  const due = statusOfReason[info.reason as MapErrorReason];
  if (due !== code) return `${info.reason} is told as ${status[code]}`;
  if (told.message === "") return "it has no message";
  const [request] = told.details.flatMap((any) => anyUnpack(any, BadRequestSchema) ?? []);
  if (code === status.INVALID_ARGUMENT && !request?.fieldViolations.length) {
    return `${info.reason} names no field`;
  }
  return undefined;
}

function wrongAnswer(
  rpc: DescMethod,
  { count, isForeign }: FuzzCall,
  { body }: Outcome,
): string | undefined {
  const answers = messagesOf(body);
  const bytes = answers.reduce((sum, { length }) => sum + 5 + length, 0);
  if (bytes !== body.length) return "its body is not whole frames";
  for (const answer of answers) {
    const { $unknown } = fromBinary(rpc.output, answer);
    if ($unknown?.length) return `its answer has unknown fields: ${answer.toString("hex")}`;
  }
  const isSingle = rpc.methodKind === "unary" || rpc.methodKind === "client_streaming";
  if (isSingle && answers.length !== 1) return `it has ${answers.length} answers`;
  if (rpcName(rpc) !== PIPELINE || isForeign) return undefined;
  if (answers.length !== count) return `${count} calls got ${answers.length} answers`;
  return wrongPipeline(answers);
}

function wrongPipeline(answers: readonly Uint8Array[]): string | undefined {
  for (const [index, bytes] of answers.entries()) {
    const { answer } = fromBinary(PipelineResponseSchema, bytes);
    if (answer.case === undefined) return `call ${index} has no answer`;
    if (answer.case !== "error") continue;
    const { code, message } = fromBinary(StatusSchema, answer.value);
    const wrong = wrongStatus(code) ?? wrongDetails(code, answer.value);
    if (wrong) return `call ${index}: ${wrong} "${message}"`;
  }
  return undefined;
}
