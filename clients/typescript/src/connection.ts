import { type Client, status } from "@grpc/grpc-js";
import { BpfmapError } from "./errors.js";

/** The channel to a daemon, and what all calls over it share. */
export class Connection {
  readonly client: Client;
  /** The daemon's address, as grpc-js takes it. */
  readonly address: string;
  /** Milliseconds after which unary calls fail unless they say otherwise. */
  readonly deadlineMs: number;

  constructor(client: Client, address: string, deadlineMs: number) {
    this.client = client;
    this.address = address;
    this.deadlineMs = deadlineMs;
  }

  /** Starts a call. grpc-js throws where the channel has been closed. */
  start<T>(call: (client: Client) => T): T {
    try {
      return call(this.client);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new BpfmapError(`the call could not be made: ${why}`, {
        code: status.CANCELLED,
        cause,
      });
    }
  }

  /**
   * The error of a failed call. One that the caller's signal ended carries the
   * signal's reason; one that found no daemon names the address.
   */
  errorOf(error: unknown, signal: AbortSignal | undefined): BpfmapError {
    const failure = BpfmapError.from(error);
    if (failure.code === status.CANCELLED && signal?.aborted) return cancelledBy(signal);
    if (failure.code === status.UNAVAILABLE && failure.reason === "") {
      // grpc-js ends its message with a note that is empty for addresses without DNS.
      const why = failure.message.replace(/ Resolution note: $/, "");
      return new BpfmapError(`no answer from bpfmapd at ${this.address}: ${why}`, {
        code: failure.code,
        cause: error,
      });
    }
    return failure;
  }
}

/** The error of a call that its signal ended. */
export function cancelledBy(signal: AbortSignal): BpfmapError {
  return new BpfmapError("the call was cancelled by its signal", {
    code: status.CANCELLED,
    cause: signal.reason,
  });
}
