import type { MapRef } from "@bpfmapd/client/proto";
import type { Message } from "@bufbuild/protobuf";
import type { CallCourse } from "../call-observer.js";

/** The fields in which requests name a map: most in `map`, the first of a load in `start.map`. */
interface Naming {
  readonly map?: MapRef;
  readonly kind?: { readonly case?: string; readonly value?: { readonly map?: MapRef } };
}

/** Tells who observes a call which map its request names, if it names one. */
export function nameMap(course: CallCourse, request: Message): void {
  const { map, kind } = request as Naming;
  const ref = (map ?? (kind?.case === "start" ? kind.value?.map : undefined))?.ref;
  if (ref?.case !== undefined) course.named?.(ref.case, ref.value);
}
