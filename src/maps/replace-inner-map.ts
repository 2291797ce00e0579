import { createFrom } from "./create-from-spec.js";
import { checkKey, checkKeysInRange, requireKeyedOperation } from "./element-check.js";
import { writeElements } from "./elements.js";
import { freeze } from "./freeze.js";
import { hasInnerMaps, openAnyInner, openInner, specLike } from "./inner-map.js";
import type { LoadStart } from "./load.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { OpenMap } from "./open-map.js";
import type { LoadResult } from "./scan/load-input.js";

/** Loads the stream of the request into a map. */
export type Load = (map: OpenMap, strategy: "merge" | "replace") => Promise<LoadResult>;

/**
 * Puts a new inner map into a slot of a map in map, with all its elements, in one update:
 * a program sees the old inner map or the new one. Whatever fails before, the slot keeps
 * what it had.
 */
export async function replaceInnerMap(
  host: MapHost,
  outer: OpenMap,
  { map: { access }, outerKey, dryRun }: LoadStart,
  load: Load,
): Promise<LoadResult> {
  const key = checkSlot(host, outer, outerKey);
  const current = openInner(host, outer, key);
  const model = current ?? openAnyInner(host, outer) ?? noModel(outer);
  try {
    if (current) await access?.admit(current);
    if (dryRun && current) return await load(current, "replace");
    const fresh = await createFrom(host, specLike(model.info), "start.map");
    try {
      if (dryRun) return await load(fresh, "replace");
      const result = await load(fresh, "merge");
      if (model.isFrozen()) freeze(fresh);
      await putInto(host, outer, key, fresh);
      return result;
    } catch (error) {
      // Errors of the stream speak of the map that was asked for.
      throw error instanceof MapError ? error.about(outer.label) : error;
    } finally {
      fresh.close();
    }
  } finally {
    model.close();
  }
}

function checkSlot(host: MapHost, outer: OpenMap, key: Uint8Array | undefined): Uint8Array {
  if (!hasInnerMaps(outer)) {
    throw new MapError(
      "OPERATION_NOT_SUPPORTED",
      `${outer.label} has no inner maps, so there is no slot for REPLACE_ATOMIC`,
      { metadata: { map: outer.label, operation: "replace_atomic" } },
    );
  }
  requireKeyedOperation(host.capabilities, outer, "update");
  if (!key) throw fieldError("FIELD_INVALID", "start.outer_key", "missing: it names the slot");
  checkKey(key, outer.layout, "start.outer_key");
  const kind = host.capabilities.of(outer.info.type)?.keyKind;
  checkKeysInRange(key, outer.layout, kind, "start.outer_key");
  if (outer.isFrozen()) throw outer.explain("EPERM", "update an element");
  return key;
}

function noModel(outer: OpenMap): never {
  throw new MapError(
    "OBJECT_UNSUITABLE",
    `${outer.label} has no inner map that tells what the new one must be like: put one in before`,
    { metadata: { map: outer.label } },
  );
}

async function putInto(
  host: MapHost,
  outer: OpenMap,
  keys: Uint8Array,
  inner: OpenMap,
): Promise<void> {
  const values = Buffer.alloc(outer.layout.valueStride);
  values.writeUInt32LE(inner.fd);
  const columns = { count: 1, keys, values };
  await host.writing(outer, keys, () =>
    writeElements(host, outer, columns, { mode: "any", lock: false }, "stop"),
  );
}
