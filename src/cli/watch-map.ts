import { BpfmapError, status, Watch, type WatchEvent, type WatchOptions } from "@bpfmapd/client";
import { Interrupted } from "./cli-error.js";
import type { CliContext } from "./context.js";
import type { MapArg } from "./grammar/map-arg.js";

/** Watches the map that the user named, until the loop is left or the user interrupts. */
export async function* watchMap(
  context: CliContext,
  map: MapArg,
  options: WatchOptions,
): AsyncGenerator<WatchEvent> {
  const watch = new Watch(
    context.mapRef(map),
    (request, call) => context.client.maps.watch(request, call),
    { ...options, signal: context.signal },
  );
  try {
    yield* watch;
  } catch (error) {
    // There is no other end to it, so none is missed.
    if (error instanceof BpfmapError && error.code === status.CANCELLED) throw new Interrupted();
    throw error;
  }
}
