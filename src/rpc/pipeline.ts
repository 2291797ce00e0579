import { MapService, type PipelineRequest, PipelineResponseSchema } from "@bpfmapd/client/proto";
import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import type { CallAccess } from "../access/index.js";
import { fieldError } from "../maps/index.js";
import { carryOut } from "./adapter/carry-out.js";
import { type CallRuntime, failureStatus, type MethodHandler } from "./adapter/runtime.js";
import type { CallContext } from "./adapter/server-call.js";
import type { CallCourse } from "./call-observer.js";
import { type CallStatus, DETAILS_TRAILER } from "./error-status.js";
import type { CallGuard } from "./gate/call-guard.js";
import type { MapServiceHandlers } from "./handlers/map-service.js";
import { putField, U32_FIELD } from "./messages/wire.js";

/** The RPCs that a pipeline takes: each has the name of the fields of its call and its answer. */
type PipelinedRpc = NonNullable<PipelineRequest["call"]["case"]>;

const ERROR_TAG = tagOf("error");

/** MapService.Pipeline: calls of other RPCs as messages of one stream, one after the other. */
export function pipelineHandler(
  handlers: Pick<MapServiceHandlers, PipelinedRpc>,
  runtime: CallRuntime,
): MapServiceHandlers["pipeline"] {
  return async function* (requests, context) {
    for await (const { call } of requests) {
      if (call.case === undefined) {
        yield failed(failureStatus(noCall(), context, runtime));
        continue;
      }
      const handler: MethodHandler = handlers[call.case];
      const one = new PipelinedCall(MapService.method[call.case], context, runtime);
      yield await one.answer(call.value, handler, tagOf(call.case));
    }
  };
}

function noCall(): Error {
  return fieldError("FIELD_INVALID", "call", "give a call: there is none that this daemon knows");
}

/** One call of a pipeline: to its handler and to who observes it is a call of its own. */
class PipelinedCall implements CallContext {
  readonly rpc: string;
  readonly peer: string;
  readonly course: CallCourse | undefined;
  readonly #metadata = new Metadata();
  readonly #method: DescMethodUnary;
  readonly #pipeline: CallContext;
  readonly #runtime: CallRuntime;
  /** Set once it is let in. */
  guard: CallGuard | undefined;

  constructor(method: DescMethodUnary, pipeline: CallContext, runtime: CallRuntime) {
    const { peer } = pipeline;
    this.rpc = `${method.parent.typeName}/${method.name}`;
    this.peer = peer;
    this.course = runtime.courses?.begin({ rpc: this.rpc, peer, metadata: this.#metadata });
    this.#method = method;
    this.#pipeline = pipeline;
    this.#runtime = runtime;
  }

  get signal(): AbortSignal {
    return this.#pipeline.signal;
  }

  get requestId(): string {
    return this.#pipeline.requestId;
  }

  get access(): CallAccess | undefined {
    return this.guard?.access;
  }

  /** The message that answers it, also where it fails. Throws where the pipeline is over. */
  async answer(request: Message, handler: MethodHandler, tag: number): Promise<Buffer> {
    const runtime = this.#runtime;
    const room = runtime.maxMessageBytes - U32_FIELD;
    try {
      const turn = this.#letIn();
      if (turn) await turn;
      const answer = await carryOut(this.#method, handler, request, this, runtime, room);
      this.course?.ended(status.OK, "");
      return wrapped(tag, answer);
    } catch (error) {
      if (this.guard?.audit) await this.guard.audit.ended({ error });
      const failure = failureStatus(error, this, runtime);
      this.course?.ended(failure?.code ?? status.CANCELLED, failure?.details ?? "");
      this.signal.throwIfAborted();
      return failed(failure);
    } finally {
      this.guard?.close();
    }
  }

  /** Its caller is the pipeline's; whether that one may make it is asked of each call. */
  #letIn(): Promise<void> | undefined {
    const { gate } = this.#runtime;
    const { guard } = this.#pipeline;
    if (!gate || !guard) return undefined;
    const { who, connection } = guard;
    this.guard = gate.letIn(who, connection, this.rpc, this.#metadata, true);
    return gate.turns.wait(who.name, connection);
  }
}

function failed(failure: CallStatus | undefined): Buffer {
  const [details = Buffer.alloc(0)] = failure?.metadata.get(DETAILS_TRAILER) ?? [];
  return wrapped(ERROR_TAG, details as Buffer);
}

/** The encoded PipelineResponse around an answer that is encoded already. */
function wrapped(tag: number, answer: Buffer): Buffer {
  const buffer = Buffer.allocUnsafe(U32_FIELD + answer.length);
  buffer.set(answer, U32_FIELD);
  return buffer.subarray(putField(buffer, U32_FIELD, tag, answer.length));
}

/** The tag of a field that holds a message or bytes: field number << 3 | wire type. */
function tagOf(field: PipelinedRpc | "error"): number {
  return (PipelineResponseSchema.field[field].number << 3) | 2;
}
