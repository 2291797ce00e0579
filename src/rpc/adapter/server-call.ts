import type { ServerUnaryCall } from "@grpc/grpc-js";
import type { CallAccess } from "../../access/index.js";
import { MapError } from "../../maps/index.js";
import type { CallCourses } from "../call-courses.js";
import type { CallCourse } from "../call-observer.js";
import type { CallGate } from "../gate/call-gate.js";
import type { CallGuard } from "../gate/call-guard.js";

/** setTimeout fires at once for anything longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a handler knows of its call beside the request. */
export interface CallContext {
  /** The RPC's path without the first slash, such as "bpfmap.v1.MapService/GetMap". */
  readonly rpc: string;
  /** Who calls: "unix", or address and port of a TCP peer. */
  readonly peer: string;
  /**
   * Aborted when nobody waits for the answer any more: the client cancelled, its deadline
   * passed, its connection broke, or the daemon stops.
   */
  readonly signal: AbortSignal;
  /** The call's id, as its caller gave it (x-request-id); "" for none. */
  readonly requestId: string;
  /** Who observes the call hears of it here; undefined where nobody does. */
  readonly course: CallCourse | undefined;
  /** What the caller may do to maps; undefined where nobody is asked. */
  readonly access: CallAccess | undefined;
  /** What goes with the call since it was let in; undefined where there is no gate. */
  readonly guard: CallGuard | undefined;
}

/** What observes and guards calls, each where there is such a thing. */
interface CallSurroundings {
  readonly courses?: CallCourses | undefined;
  readonly gate?: CallGate | undefined;
}

/** Reason of a signal whose client is gone; nobody hears of it. */
export class CallEnded extends Error {
  override readonly name = "CallEnded";
}

/** The part of grpc-js' calls that all four kinds have. */
export type AnyCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  "cancelled" | "getPeer" | "getDeadline" | "getPath" | "metadata"
> & {
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
};

/** One call's life: its context, and what has to be undone when it is over. */
export class ServerCall implements CallContext {
  readonly rpc: string;
  readonly peer: string;
  readonly course: CallCourse | undefined;
  readonly guard: CallGuard | undefined;
  readonly #call: AnyCall;
  readonly #stopping: AbortSignal;
  #controller: AbortController | undefined;
  #deadline: NodeJS.Timeout | undefined;
  readonly #onCancelled = () => this.#abort(new CallEnded("the call was cancelled"));
  readonly #onStopping = () => this.#abort(stoppingError());

  constructor(call: AnyCall, stopping: AbortSignal, { courses, gate }: CallSurroundings) {
    this.#call = call;
    this.#stopping = stopping;
    this.rpc = call.getPath().slice(1);
    this.peer = peerName(call);
    this.course = courses?.of(call.metadata);
    this.guard = gate?.guardOf(call.metadata);
    const record = this.guard?.access?.record;
    if (record) record.revoke = (error) => this.#abort(error);
  }

  get access(): CallAccess | undefined {
    return this.guard?.access;
  }

  get requestId(): string {
    return String(this.#call.metadata.get("x-request-id")[0] ?? "");
  }

  /** Made when first asked for: most unary calls are over before they could be aborted. */
  get signal(): AbortSignal {
    this.#controller ??= this.#listen();
    return this.#controller.signal;
  }

  /** The call has its answer. Must be called: grpc-js says "cancelled" at the end of each call. */
  settle(): void {
    clearTimeout(this.#deadline);
    this.#call.off("cancelled", this.#onCancelled);
    this.#stopping.removeEventListener("abort", this.#onStopping);
  }

  #listen(): AbortController {
    const controller = new AbortController();
    this.#controller = controller;
    if (this.#call.cancelled) this.#onCancelled();
    else if (this.#stopping.aborted) this.#onStopping();
    else {
      this.#call.on("cancelled", this.#onCancelled);
      this.#stopping.addEventListener("abort", this.#onStopping, { once: true });
      this.#watchDeadline();
    }
    return controller;
  }

  /**
   * grpc-js ends the call at its deadline, but a status behind data that the client does
   * not read never gets out, and "cancelled" only comes after it.
   */
  #watchDeadline(): void {
    const left = Number(this.#call.getDeadline()) - Date.now();
    if (left > MAX_TIMER_MS) return;
    const expire = () => this.#abort(new CallEnded("the call's deadline passed"));
    this.#deadline = setTimeout(expire, left);
    this.#deadline.unref();
  }

  #abort(reason: Error): void {
    this.settle();
    this.#controller?.abort(reason);
  }
}

/** UNAVAILABLE: what calls end with when the daemon stops. */
export function stoppingError(): MapError {
  return new MapError(
    "DAEMON_STOPPING",
    "the daemon is stopping: try again when it is back, or elsewhere",
  );
}

/** Who calls, for people. */
export function peerName(call: Pick<AnyCall, "getPeer">): string {
  const peer = call.getPeer();
  // The kernel gives connections to a unix socket no address.
  return peer === "unknown" ? "unix" : peer;
}
