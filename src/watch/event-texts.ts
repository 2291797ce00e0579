import type { ElementDecoder } from "../maps/index.js";
import type { WatchEvents, WatchTexts } from "./watch-request.js";

const NONE = new Uint8Array(0);

/** The JSON texts of a message's keys and values. */
export function textsOf(
  events: WatchEvents,
  decode: ElementDecoder,
  besideBytes: boolean,
): WatchTexts {
  const { puts, deletes, previous } = events;
  const told = decode(puts);
  const { jsonValues: before } = decode(
    { count: previous?.present.length ?? 0, keys: NONE, values: previous?.values ?? NONE },
    (index) => !previous?.present[index],
  );
  return {
    putKeys: told.jsonKeys ?? [],
    putValues: told.jsonValues,
    deleteKeys: decode({ ...deletes, values: NONE }).jsonKeys ?? [],
    previous: before,
    besideBytes,
  };
}
