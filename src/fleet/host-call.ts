import type { CallOrigin } from "@bpfmapd/client/proto";
import { MapError } from "../maps/index.js";

/** A call for a host of the fleet. */
export interface HostCall {
  /** The RPC, such as "bpfmap.v1.MapService/DumpMap". */
  readonly rpc: string;
  /** Who calls; the relays on the way are added to it. */
  readonly origin: CallOrigin;
  /**
   * Encoded requests, in their order: one, unless the RPC takes a stream of them. Iterated anew
   * where the call was certainly not sent and its host has moved.
   */
  readonly requests: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Milliseconds that it may take on the host; absent for as long as it likes. */
  readonly timeoutMs?: number | undefined;
  /** For the host's audit. */
  readonly requestId?: string | undefined;
  /** Cancels it. */
  readonly signal: AbortSignal;
}

/**
 * How hosts are called, wherever they have their session. The answers are encoded messages; ends
 * with a HostCallError where the call fails.
 */
export interface HostCaller {
  call(hostId: string, call: HostCall): AsyncIterable<Uint8Array>;
}

/** A call of a host that was not answered with OK. */
export class HostCallError extends Error {
  override readonly name = "HostCallError";

  /**
   * @param status a serialized google.rpc.Status of the host; absent where the host itself could
   *   not be asked, and `cause` is why
   * @param maybeDone whether the call had been sent when its answer was cut off
   */
  constructor(
    readonly status: Uint8Array | undefined,
    override readonly cause: MapError | undefined,
    readonly maybeDone: boolean,
  ) {
    super(cause?.message ?? "the host answered with an error");
  }
}

/** The host answered with an error. */
export function refusedByHost(status: Uint8Array): HostCallError {
  return new HostCallError(status, undefined, false);
}

/** The host cannot be reached. */
export function unreachable(hostId: string, why: string, maybeDone = false): HostCallError {
  const error = new MapError("HOST_UNREACHABLE", `host ${hostId} ${why}`, {
    metadata: { host: hostId },
  });
  return new HostCallError(undefined, error, maybeDone);
}
