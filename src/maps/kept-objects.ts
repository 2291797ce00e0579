import { indexHolders } from "./map-holders.js";
import type { MapHost } from "./map-host.js";
import { CreateFlag } from "./map-spec.js";
import { MapType } from "./map-type.js";
import { objectError } from "./objects/object-error.js";
import type { OpenMap } from "./open-map.js";
import { indexPins } from "./pin-index.js";
import type { SharedFd } from "./shared-fd.js";

interface Kept {
  /** The map's fd that all of the elements were written with. */
  readonly fd: SharedFd;
  /** Keys of the elements, as hexadecimal digits. */
  readonly keys: Set<string>;
}

/**
 * Elements that would vanish if the daemon closed the fd of the map that it wrote them
 * with: a PERF_EVENT_ARRAY drops them with that fd (perf_event_fd_array_release) unless
 * it has PRESERVE_ELEMS, and a PROG_ARRAY drops all with its last fd or pin
 * (prog_array_map_clear). The fd is kept as long as the daemon holds the map, and goes
 * with the last of these elements.
 */
export class KeptObjects {
  readonly #maps = new Map<number, Kept>();
  readonly #isHeld: (mapId: number) => boolean;

  /** @param isHeld whether the daemon holds a map: it keeps nothing of others */
  constructor(isHeld: (mapId: number) => boolean) {
    this.#isHeld = isHeld;
  }

  /** How many elements of a map are kept. */
  count(mapId: number): number {
    return this.#maps.get(mapId)?.keys.size ?? 0;
  }

  /** The fd to write a map's elements with, so that one fd is kept for all of them. */
  fdFor(map: OpenMap): number {
    return this.#maps.get(map.info.id)?.fd.fd ?? map.fd;
  }

  /**
   * Keeps the elements with these keys, written with {@link fdFor}, where the daemon holds
   * the map, or is about to.
   */
  add(map: OpenMap, keys: Uint8Array, willBeHeld = false): void {
    const { id } = map.info;
    if (!needsKeeping(map) || keys.length === 0 || !(willBeHeld || this.#isHeld(id))) return;
    const kept = this.#maps.get(id) ?? { fd: map.share(), keys: new Set() };
    this.#maps.set(id, kept);
    for (const key of keysIn(map, keys)) kept.keys.add(key);
  }

  /** Lets elements go that were deleted. */
  remove(map: OpenMap, keys: Uint8Array): void {
    const { id } = map.info;
    const kept = this.#maps.get(id);
    if (!kept) return;
    for (const key of keysIn(map, keys)) kept.keys.delete(key);
    if (kept.keys.size === 0) this.drop(id);
  }

  /** Lets all elements of a map go: it was cleared, or is held no more. */
  drop(mapId: number): void {
    const kept = this.#maps.get(mapId);
    this.#maps.delete(mapId);
    kept?.fd.release();
  }

  /** Lets everything go. */
  close(): void {
    for (const id of [...this.#maps.keys()]) this.drop(id);
  }
}

/** Whether elements of a map live no longer than some fd of it. */
export function needsKeeping({ info }: OpenMap): boolean {
  if (info.type === MapType.PROG_ARRAY) return true;
  return info.type === MapType.PERF_EVENT_ARRAY && (info.flags & CreateFlag.PRESERVE_ELEMS) === 0;
}

/**
 * Refuses to write elements that would vanish as soon as the call ends: the daemon keeps
 * nothing open of maps that it does not hold.
 */
export async function requireLastingElements(host: MapHost, map: OpenMap): Promise<void> {
  const { id, type } = map.info;
  if (!needsKeeping(map) || host.holds.isHeld(id)) return;
  if (type === MapType.PROG_ARRAY && (await hasOtherUser(host, id))) return;
  refuseVanishing(map);
}

/** Refuses elements that nothing would keep, where the map has such. */
export function refuseVanishing(map: OpenMap): void {
  if (!needsKeeping(map)) return;
  const why =
    map.info.type === MapType.PROG_ARRAY
      ? "no pin and no other process refers to the map, so it would be emptied when the call ends: hold or pin it first"
      : "its elements vanish with the fd that wrote them, so this one would when the call ends: hold the map first, or create it with PRESERVE_ELEMS";
  throw objectError("OBJECT_UNSUITABLE", "map", why);
}

/** Whether a pin or a process refers to a map; programs that use it do not count here. */
async function hasOtherUser(host: MapHost, id: number): Promise<boolean> {
  if ((await indexPins(host.pins)).has(id)) return true;
  const holders = (await indexHolders()).get(id) ?? [];
  return holders.some(({ pid }) => pid !== process.pid);
}

function* keysIn({ layout }: OpenMap, keys: Uint8Array): Generator<string> {
  const bytes = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
  for (let at = 0; at < bytes.length; at += layout.keySize) {
    yield bytes.toString("hex", at, at + layout.keySize);
  }
}
