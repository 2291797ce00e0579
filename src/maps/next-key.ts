import { ElementCalls } from "../kernel/index.js";
import { checkKey, requireKeyedOperation } from "./element-check.js";
import { elementDecoder } from "./element-decoder.js";
import { withKeys } from "./element-encoder.js";
import type { ElementsAnswer, InputColumn, Reading } from "./element-input.js";
import { MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { MapRef } from "./map-ref.js";
import type { ObjectKey } from "./object-ref.js";
import type { OpenMap } from "./open-map.js";
import { withMap } from "./resolve.js";
import { whileContended } from "./retry.js";

const NONE = new Uint8Array(0);

/**
 * The key after another in the kernel's order; the first without one. The answer is one
 * key, without a value.
 */
export async function nextKey(
  host: MapHost,
  ref: MapRef,
  key?: InputColumn<ObjectKey>,
  reading?: Reading,
): Promise<ElementsAnswer> {
  return withMap(host, ref, async (map) => {
    requireKeyedOperation(host.capabilities, map, "next_key");
    const decode = await elementDecoder(host, map, { reading });
    const answer = (after?: Uint8Array): ElementsAnswer => {
      const columns = { count: 1, keys: keyAfter(map, after), values: NONE };
      return decode?.(columns) ?? columns;
    };
    if (!key) return answer();
    if (key instanceof Uint8Array) {
      // Any key will do: the kernel starts again at the first where it has none like it.
      checkKey(key, map.layout, "key");
      return answer(key);
    }
    const options = { typing: reading?.typing, single: true };
    return withKeys(host, map, { count: 1, keys: key }, options, answer);
  });
}

function keyAfter(map: OpenMap, key: Uint8Array | undefined): Uint8Array {
  const calls = new ElementCalls(map.fd, map.layout.keySize, 0);
  try {
    if (key) calls.key.set(key);
    const errno = whileContended(() => (key ? calls.nextKey() : calls.firstKey()));
    if (errno === undefined) return Uint8Array.from(calls.following);
    if (errno !== "ENOENT") throw map.explain(errno, "find the next key");
    const what = key ? "this is its last key" : "it is empty";
    throw new MapError("ELEMENT_NOT_FOUND", `${map.label} has no further key: ${what}`, {
      metadata: { map: map.label, operation: "find the next key", errno },
    });
  } finally {
    calls.release();
  }
}
