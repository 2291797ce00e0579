import type { Metadata } from "@grpc/grpc-js";
import type { CallCourse, CallObserver, ObservedCall } from "./call-observer.js";

/**
 * The courses of the calls in flight. Interceptors and handlers have nothing in common
 * but the metadata that came with the call, so that is what a course is found by.
 */
export class CallCourses {
  readonly #observer: CallObserver;
  readonly #courses = new WeakMap<Metadata, CallCourse>();

  constructor(observer: CallObserver) {
    this.#observer = observer;
  }

  begin(call: ObservedCall): CallCourse {
    const course = this.#observer.begin(call);
    this.#courses.set(call.metadata, course);
    return course;
  }

  /** The course of the call that came with this metadata. */
  of(metadata: Metadata): CallCourse | undefined {
    return this.#courses.get(metadata);
  }
}
