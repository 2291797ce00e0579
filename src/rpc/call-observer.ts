import type { Metadata, status } from "@grpc/grpc-js";

/** A call that begins. */
export interface ObservedCall {
  /** The RPC's path without the first slash, such as "bpfmap.v1.MapService/GetMap". */
  readonly rpc: string;
  /** Who calls: "unix", or address and port of a TCP peer. */
  readonly peer: string;
  /** What the client sent beside its request. */
  readonly metadata: Metadata;
}

/**
 * Told of every call to a method that the daemon has: for the log, metrics and traces.
 * Runs on the way of each call, so it has to be quick, and nothing of it may throw.
 */
export interface CallObserver {
  begin(call: ObservedCall): CallCourse;
}

/** Told of one call until it ends. */
export interface CallCourse {
  /** The reference by which the request names its map, such as "pinPath" and a path. */
  named?(by: string, value: string | number): void;
  /** Elements that were streamed in either direction, and the bytes of their keys and values. */
  streamed?(elements: number, bytes: number): void;
  /** Bytes of a streamed answer that wait for the client: more, or where negative fewer. */
  queued?(bytes: number): void;
  /** The call is over; said once, as the last. */
  ended(code: status, details: string): void;
}

/** Several observers as one; undefined where there is none, so that nothing is done for it. */
export function joinObservers(observers: readonly CallObserver[]): CallObserver | undefined {
  if (observers.length < 2) return observers[0];
  return { begin: (call) => new JoinedCourse(observers.map((observer) => observer.begin(call))) };
}

class JoinedCourse implements CallCourse {
  readonly #courses: readonly CallCourse[];

  constructor(courses: readonly CallCourse[]) {
    this.#courses = courses;
  }

  named(by: string, value: string | number): void {
    for (const course of this.#courses) course.named?.(by, value);
  }

  streamed(elements: number, bytes: number): void {
    for (const course of this.#courses) course.streamed?.(elements, bytes);
  }

  queued(bytes: number): void {
    for (const course of this.#courses) course.queued?.(bytes);
  }

  ended(code: status, details: string): void {
    for (const course of this.#courses) course.ended(code, details);
  }
}
