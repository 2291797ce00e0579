import picomatch from "picomatch";
import { mapFdinfo } from "../kernel/index.js";
import { indexHolders } from "./map-holders.js";
import type { MapHost } from "./map-host.js";
import type { Holder, MapDetail, MapRecord } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import type { MapType } from "./map-type.js";
import type { OpenMap } from "./open-map.js";
import { indexPins } from "./pin-index.js";
import { eachMap, withMap } from "./resolve.js";

/** Chooses maps; all parts that are present must hold. */
export interface ListMapsFilter {
  /** Shell pattern over the name: `*`, `?`, `[a-z]`, `{a,b}`. */
  readonly nameGlob?: string | undefined;
  readonly types?: readonly MapType[] | undefined;
  readonly pinned?: boolean | undefined;
  readonly held?: boolean | undefined;
}

/** Which maps to list. */
export interface ListMapsRequest {
  /** Most maps in the answer. */
  readonly pageSize: number;
  /** Only maps with a greater id. */
  readonly afterId?: number | undefined;
  readonly filter?: ListMapsFilter | undefined;
  readonly detail?: MapDetail | undefined;
}

/** Lists maps by ascending id; `nextAfterId` is there where there may be more. */
export async function listMaps(
  host: MapHost,
  request: ListMapsRequest,
): Promise<{ maps: MapRecord[]; nextAfterId?: number }> {
  const detail = request.detail ?? {};
  const view = await MapView.look(host, {
    ...detail,
    pins: detail.pins || request.filter?.pinned !== undefined,
  });
  const wanted = compileFilter(request.filter ?? {});
  const maps: MapRecord[] = [];
  for await (const map of eachMap(host, request.afterId)) {
    try {
      const record = view.record(map);
      if (!wanted(record)) continue;
      maps.push(detail.pins ? record : { ...record, pinPaths: [] });
    } finally {
      map.close();
    }
    const last = maps.at(-1);
    if (last && maps.length === request.pageSize) return { maps, nextAfterId: last.id };
  }
  return { maps };
}

/** Tells what is known of one map. */
export async function getMap(
  host: MapHost,
  ref: MapRef,
  detail: MapDetail = {},
): Promise<MapRecord> {
  return withMap(host, ref, async (map) => (await MapView.look(host, detail)).record(map));
}

/** Tells of an open map, without pins and holders. */
export function recordOf(host: MapHost, map: OpenMap): MapRecord {
  return new MapView(host).record(map);
}

function compileFilter(filter: ListMapsFilter): (map: MapRecord) => boolean {
  const named = filter.nameGlob ? compileGlob(filter.nameGlob) : undefined;
  const types = filter.types?.length ? new Set(filter.types) : undefined;
  return (map) =>
    (named?.(map.name) ?? true) &&
    (types?.has(map.type) ?? true) &&
    (filter.pinned === undefined || filter.pinned === map.pinPaths.length > 0) &&
    (filter.held === undefined || filter.held === map.holds.length > 0);
}

function compileGlob(glob: string): (name: string) => boolean {
  const matches = picomatch(glob, { dot: true });
  // To picomatch, made for paths, nothing matches an empty name.
  const matchesEmpty = /^\*+$/.test(glob);
  return (name) => (name === "" ? matchesEmpty : matches(name));
}

/** Joins what the kernel, fdinfo, bpffs, /proc and the holds say of maps. */
class MapView {
  readonly #host: MapHost;
  readonly #pins: ReadonlyMap<number, string[]>;
  readonly #holders: ReadonlyMap<number, Holder[]>;

  constructor(
    host: MapHost,
    pins: ReadonlyMap<number, string[]> = new Map(),
    holders: ReadonlyMap<number, Holder[]> = new Map(),
  ) {
    this.#host = host;
    this.#pins = pins;
    this.#holders = holders;
  }

  /** A view with pins and holders as asked for, of the moment of this call. */
  static async look(host: MapHost, detail: MapDetail): Promise<MapView> {
    const pins = detail.pins ? await indexPins(host.pins) : undefined;
    const holders = detail.holders ? await indexHolders() : undefined;
    return new MapView(host, pins, holders);
  }

  record(map: OpenMap): MapRecord {
    const { id } = map.info;
    return {
      ...map.info,
      ...mapFdinfo(map.fd),
      valueStride: map.layout.valueStride,
      cpus: map.layout.cpus,
      pinPaths: this.#pins.get(id) ?? [],
      holds: this.#host.holds.holdsOf(id),
      holders: this.#holders.get(id) ?? [],
      bootId: this.#host.identity.bootId,
    };
  }
}
