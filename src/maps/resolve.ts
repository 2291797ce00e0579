import { KernelError, mapNextId } from "../kernel/index.js";
import type { MapAccess } from "./map-access.js";
import { MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import { describeRef, type MapRef } from "./map-ref.js";
import type { OpenMap } from "./open-map.js";
import { Turns } from "./turns.js";

/**
 * Opens the map that a reference names, for the time of `use`; its errors name the map.
 *
 * @param field path of the reference in the request
 */
export async function withMap<T>(
  host: MapHost,
  ref: MapRef,
  use: (map: OpenMap) => T | Promise<T>,
  field = "map",
): Promise<T> {
  const map = await openMap(host, ref, field);
  try {
    return await use(map);
  } catch (error) {
    throw map.named(error);
  } finally {
    map.close();
  }
}

/**
 * Opens the map that a reference names; the caller closes it. Throws ACCESS_DENIED where
 * the reference says who asks, and that one may not.
 */
export async function openMap(host: MapHost, ref: MapRef, field = "map"): Promise<OpenMap> {
  checkBoot(host, ref);
  if (ref.by === "name") return openByName(host, ref);
  const map = openNamed(host, ref, field);
  if (ref.access) await admitOrClose(map, ref, ref.access);
  return map;
}

function openNamed(host: MapHost, ref: Exclude<MapRef, { by: "name" }>, field: string): OpenMap {
  const readOnly = ref.access?.readOnly;
  switch (ref.by) {
    case "id":
      return host.openById(ref.id, readOnly) ?? notFound(ref);
    case "held":
      return host.openHeld(ref.held, readOnly);
    case "pinPath":
      return host.adopt(host.pins.open(ref.pinPath, `${field}.pin_path`, readOnly));
  }
}

async function admitOrClose(map: OpenMap, ref: MapRef, access: MapAccess): Promise<void> {
  try {
    await access.admit(map, ref);
  } catch (error) {
    map.close();
    throw error;
  }
}

function checkBoot(host: MapHost, ref: MapRef): void {
  const running = host.identity.bootId;
  if (ref.bootId === undefined || ref.bootId === running) return;
  throw new MapError(
    "BOOT_ID_MISMATCH",
    `${describeRef(ref)} was learnt in boot ${ref.bootId}, but the host has booted since: look the map up again`,
    { metadata: { boot_id: running } },
  );
}

/** Of maps that share a name, those that the one who asks may not use do not count. */
async function openByName(host: MapHost, ref: MapRef & { by: "name" }): Promise<OpenMap> {
  let first: OpenMap | undefined;
  let denial: MapError | undefined;
  const ids: number[] = [];
  try {
    for await (const map of eachMap(host, 0, ref.access?.readOnly)) {
      const isNamed = map.info.name === ref.name;
      const refused = isNamed && ref.access ? await denialOf(map, ref, ref.access) : undefined;
      denial ??= refused;
      const isCandidate = isNamed && !refused;
      if (isCandidate) ids.push(map.info.id);
      if (isCandidate && !first) first = map;
      else map.close();
    }
  } catch (error) {
    first?.close();
    throw error;
  }
  if (!first && denial) throw denial;
  if (!first) return notFound(ref);
  if (ids.length === 1) return first;
  first.close();
  throw ambiguous(ref.name, ids);
}

/** Why the one who asks may not use an open map; closes it where anything else fails. */
async function denialOf(
  map: OpenMap,
  ref: MapRef,
  access: MapAccess,
): Promise<MapError | undefined> {
  try {
    await access.admit(map, ref);
    return undefined;
  } catch (error) {
    if (error instanceof MapError && error.reason === "ACCESS_DENIED") return error;
    map.close();
    throw error;
  }
}

/** Most ids in an error: it travels in HTTP/2 trailers, which many peers keep to 8 KiB. */
const IDS_IN_MESSAGE = 20;
/** As many as are sent whole, however long: the rpc floor cuts metadata after 600 characters. */
const IDS_IN_METADATA = 50;

function ambiguous(name: string, ids: readonly number[]): MapError {
  const more = ids.length > IDS_IN_MESSAGE ? ", …" : "";
  const some = ids.slice(0, IDS_IN_MESSAGE).join(", ") + more;
  return new MapError(
    "NAME_AMBIGUOUS",
    `${ids.length} maps are named "${name}" (ids ${some}): name one by id or pin`,
    { metadata: { name, ids: ids.slice(0, IDS_IN_METADATA).join(",") } },
  );
}

/**
 * Opens the host's maps one after the other, by id from after `afterId`; the consumer
 * closes each. Without CAP_SYS_ADMIN only the held ones can be found.
 */
export async function* eachMap(
  host: MapHost,
  afterId = 0,
  readOnly = false,
): AsyncGenerator<OpenMap> {
  const turns = new Turns();
  for (const id of idsAfter(host, afterId)) {
    const map = host.openById(id, readOnly);
    if (map) yield map;
    await turns.yieldIfDue();
  }
}

function* idsAfter(host: MapHost, afterId: number): Generator<number> {
  try {
    for (let id = mapNextId(afterId); id !== undefined; id = mapNextId(id)) yield id;
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== "EPERM") throw error;
    yield* host.holds.mapIds().filter((id) => id > afterId);
  }
}

function notFound(ref: MapRef): never {
  throw new MapError("MAP_NOT_FOUND", `there is no ${describeRef(ref)}; it may have been freed`, {
    metadata: { map: describeRef(ref) },
  });
}
