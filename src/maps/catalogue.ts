import { mapFdinfo } from "../kernel/index.js";
import { hasInnerMaps, openAnyInner, specLike } from "./inner-map.js";
import type { MapAccess } from "./map-access.js";
import { indexHolders } from "./map-holders.js";
import type { MapHost } from "./map-host.js";
import { indexPrograms } from "./map-programs.js";
import type { Holder, MapDetail, MapRecord, ProgramUse } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import type { MapSpec } from "./map-spec.js";
import type { MapType } from "./map-type.js";
import { compileGlob } from "./name-glob.js";
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
  /** What the one who asks may see; absent for everything. */
  readonly access?: MapAccess | undefined;
}

/** Lists maps by ascending id; `nextAfterId` is there where there may be more. */
export async function listMaps(
  host: MapHost,
  request: ListMapsRequest,
): Promise<{ maps: MapRecord[]; nextAfterId?: number }> {
  const { detail = {}, access } = request;
  const view = await MapView.look(host, {
    ...detail,
    pins: detail.pins || access?.looksAtPins || request.filter?.pinned !== undefined,
  });
  const wanted = compileFilter(request.filter ?? {});
  const isVisible = access?.visibleWith(view.pins) ?? (() => true);
  const maps: MapRecord[] = [];
  for await (const map of eachMap(host, request.afterId, access?.readOnly)) {
    try {
      const record = view.record(map);
      if (!wanted(record) || !isVisible(record)) continue;
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

/** Tells of an open map, without what costs more than a look at it. */
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

/** What was found of all maps, by map id. */
interface Indexes {
  readonly pins?: ReadonlyMap<number, string[]> | undefined;
  readonly holders?: ReadonlyMap<number, Holder[]> | undefined;
  readonly programs?: ReadonlyMap<number, ProgramUse[]> | undefined;
  /** Whether to open an inner map of each map that has them. */
  readonly innerMap?: boolean | undefined;
}

/** Joins what the kernel, fdinfo, bpffs, /proc, the programs and the holds say of maps. */
class MapView {
  readonly #host: MapHost;
  readonly #indexes: Indexes;

  constructor(host: MapHost, indexes: Indexes = {}) {
    this.#host = host;
    this.#indexes = indexes;
  }

  /** A view with as much as is asked for, of the moment of this call. */
  static async look(host: MapHost, detail: MapDetail): Promise<MapView> {
    return new MapView(host, {
      pins: detail.pins ? await indexPins(host.pins) : undefined,
      holders: detail.holders ? await indexHolders() : undefined,
      programs: detail.programs ? await indexPrograms() : undefined,
      innerMap: detail.innerMap,
    });
  }

  /** The pins that were found, by map id; none where they were not looked for. */
  get pins(): ReadonlyMap<number, readonly string[]> {
    return this.#indexes.pins ?? new Map();
  }

  record(map: OpenMap): MapRecord {
    const { id } = map.info;
    const { pins, holders, programs, innerMap } = this.#indexes;
    const numaNode = this.#host.numaNodes.get(id);
    return {
      ...map.info,
      ...mapFdinfo(map.fd),
      valueStride: map.layout.valueStride,
      cpus: map.layout.cpus,
      pinPaths: pins?.get(id) ?? [],
      holds: this.#host.holds.holdsOf(id),
      holders: holders?.get(id) ?? [],
      programs: programs?.get(id) ?? [],
      bootId: this.#host.identity.bootId,
      keptObjects: this.#host.kept.count(id),
      ...(innerMap && { innerMapSpec: innerMapSpec(this.#host, map) }),
      ...(numaNode !== undefined && { numaNode }),
    };
  }
}

function innerMapSpec(host: MapHost, map: OpenMap): MapSpec | undefined {
  const inner = hasInnerMaps(map) ? openAnyInner(host, map) : undefined;
  try {
    return inner && specLike(inner.info);
  } finally {
    inner?.close();
  }
}
