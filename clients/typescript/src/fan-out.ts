import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { type Any, durationMs } from "@bufbuild/protobuf/wkt";
import { BpfmapError, protocolError } from "./errors.js";
import {
  type FanOutResponse,
  type FanOutResult,
  type FanOutSummary,
  FanOutResult_Outcome as OutcomeEnum,
} from "./gen/bpfmap/fleet/v1/fleet_service_pb.js";
import type { ResponseStream } from "./response-stream.js";

/**
 * What came of a host: "ok"; "failed", where the host refused the call or it failed there;
 * "unreachable", where it has no session with a relay or lost it under the call; "skipped", where
 * it was not called, for too many failures before it or too little time.
 */
export type HostOutcome = "ok" | "failed" | "unreachable" | "skipped";

/** What came of one host. */
export interface HostResult<O> {
  readonly kind: "result";
  readonly hostId: string;
  readonly outcome: HostOutcome;
  /** The answer, of RPCs that have one; undefined unless "ok". */
  readonly response: O | undefined;
  /** Why it failed or cannot be reached; undefined otherwise. */
  readonly error: BpfmapError | undefined;
  /** Whether the call had been sent when it ended without an answer: it may have been done. */
  readonly maybeDone: boolean;
  /** Milliseconds from when the host was called. */
  readonly tookMs: number;
}

/** A message of a host's answer, of RPCs whose answer is a stream. */
export interface HostMessage<O> {
  readonly kind: "message";
  readonly hostId: string;
  readonly response: O;
}

/** What a fan-out tells. */
export type FanOutEvent<O> = HostMessage<O> | HostResult<O>;

/** All of a fan-out that has come to its end. */
export interface FanOutOutcome<O> {
  /** One for each host, in the order of their ends. */
  readonly results: readonly HostResult<O>[];
  readonly summary: FanOutSummary;
}

const OUTCOMES: Readonly<Partial<Record<OutcomeEnum, HostOutcome>>> = {
  [OutcomeEnum.OK]: "ok",
  [OutcomeEnum.FAILED]: "failed",
  [OutcomeEnum.UNREACHABLE]: "unreachable",
  [OutcomeEnum.SKIPPED]: "skipped",
};

/**
 * One call on many hosts: an iteration over what they answer, which makes the call when it is
 * first read, cancels it on `break`, and fails with BpfmapError where the fan-out as a whole
 * cannot be made. What fails on a host is a result.
 */
export class FanOut<S extends DescMessage> implements AsyncIterable<FanOutEvent<MessageShape<S>>> {
  readonly #schema: S;
  readonly #responses: ResponseStream<FanOutResponse>;
  #summary: FanOutSummary | undefined;

  /** Use Fleet.fanOut(). @internal */
  constructor(schema: S, responses: ResponseStream<FanOutResponse>) {
    this.#schema = schema;
    this.#responses = responses;
  }

  /** How many hosts matched, answered and failed; undefined before the iteration has ended. */
  get summary(): FanOutSummary | undefined {
    return this.#summary;
  }

  /** Once, as it reads from the call. */
  async *[Symbol.asyncIterator](): AsyncGenerator<FanOutEvent<MessageShape<S>>, void> {
    for await (const { event } of this.#responses) {
      switch (event.case) {
        case "message": {
          const { hostId, response } = event.value;
          yield { kind: "message", hostId, response: this.#decode(response) };
          break;
        }
        case "result":
          yield this.#resultOf(event.value);
          break;
        case "summary":
          this.#summary = event.value;
          break;
      }
    }
    if (!this.#summary) throw protocolError("the fan-out ended without a summary");
  }

  /** Reads to the end. Messages of answers that are streams are dropped: iterate for them. */
  async all(): Promise<FanOutOutcome<MessageShape<S>>> {
    const results: HostResult<MessageShape<S>>[] = [];
    for await (const event of this) {
      if (event.kind === "result") results.push(event);
    }
    return { results, summary: this.#summary as FanOutSummary };
  }

  #resultOf(result: FanOutResult): HostResult<MessageShape<S>> {
    const { hostId, response, error, maybeDone, took } = result;
    const outcome = OUTCOMES[result.outcome];
    if (!outcome) throw protocolError(`host ${hostId} has an outcome that is not known here`);
    return {
      kind: "result",
      ...{ hostId, outcome, maybeDone },
      response: response && this.#decode(response),
      error: error.length > 0 ? BpfmapError.fromStatus(error) : undefined,
      tookMs: took ? durationMs(took) : 0,
    };
  }

  #decode(response: Any | undefined): MessageShape<S> {
    return fromBinary(this.#schema, response?.value ?? new Uint8Array());
  }
}
