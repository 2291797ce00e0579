interface WatchedMap {
  watches: number;
  bytes: number;
}

/** The maps that a caller watches, each counted once, with what is kept of their contents. */
export class WatchedMaps {
  readonly #maps = new Map<number, WatchedMap>();
  #bytes = 0;

  /** Bytes that are kept of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#maps.size;
  }

  has(mapId: number): boolean {
    return this.#maps.has(mapId);
  }

  /** One more watch of a map. */
  join(mapId: number): void {
    const map = this.#maps.get(mapId);
    if (map) map.watches++;
    else this.#maps.set(mapId, { watches: 1, bytes: 0 });
  }

  /** So many bytes are kept of a map that is watched. */
  keep(mapId: number, bytes: number): void {
    const map = this.#maps.get(mapId);
    if (!map) return;
    this.#bytes += bytes - map.bytes;
    map.bytes = bytes;
  }

  /** One watch less of a map. */
  leave(mapId: number): void {
    const map = this.#maps.get(mapId);
    if (!map || --map.watches > 0) return;
    this.#bytes -= map.bytes;
    this.#maps.delete(mapId);
  }
}
