import { recordOf } from "./catalogue.js";
import { createFrom } from "./create-from-spec.js";
import { requireKeyedOperation } from "./element-check.js";
import { withElements } from "./element-encoder.js";
import { type ElementsInput, isPlain, type Typing } from "./element-input.js";
import { writeElements } from "./elements.js";
import { explainKernelError } from "./explain.js";
import { freeze } from "./freeze.js";
import type { HoldRequest } from "./hold-registry.js";
import { refuseVanishing } from "./kept-objects.js";
import type { MapAccess } from "./map-access.js";
import { MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { Hold, MapRecord } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import { CreateFlag, type MapSpec } from "./map-spec.js";
import { MapType } from "./map-type.js";
import type { OpenMap } from "./open-map.js";
import { openMap, withMap } from "./resolve.js";
import { checkSpec } from "./spec-check.js";
import { compareSpec } from "./spec-compare.js";

/** What to create, and what is to keep it alive. */
export interface CreateMapRequest {
  readonly spec: MapSpec;
  readonly hold?: HoldRequest | undefined;
  readonly pinPath?: string | undefined;
  readonly createParents: boolean;
  readonly ifExists: "error" | "reuse_compatible";
  readonly initialElements?: ElementsInput | undefined;
  readonly freeze: boolean;
  /** Types of initial elements in JSON, instead of the map's own. */
  readonly typing?: Typing | undefined;
  /** What the one who asks may do; absent where nobody is asked. */
  readonly access?: MapAccess | undefined;
}

/** Creates a map, fills it, and makes it findable: all of it, or nothing. */
export async function createMap(
  host: MapHost,
  request: CreateMapRequest,
): Promise<{ map: MapRecord; created: boolean }> {
  const { spec, hold, pinPath, access } = request;
  access?.admitNew({ name: spec.name, type: spec.type, pinPath, hold: hold?.name });
  checkSpec(request.spec, host.capabilities, host.identity);
  const existing = findExisting(host, request);
  if (existing) return reuse(host, request, existing);
  const map = await createFrom(host, request.spec, "spec");
  try {
    if (request.initialElements) await fill(host, map, request, request.initialElements);
    if (request.freeze) freeze(map);
    noteNumaNode(host, map, request.spec);
    return { map: keptRecord(host, map, () => keepAliveBy(host, map, request)), created: true };
  } catch (error) {
    host.kept.drop(map.info.id);
    // Another call may have taken the path or the name since it was looked up.
    const taken = mayReuse(request, error) ? findExisting(host, request) : undefined;
    if (!taken) throw explainKernelError(error, map.label) ?? error;
    return reuse(host, request, taken);
  } finally {
    map.close();
  }
}

/** Ids are not used again within a boot, so that an entry can never tell of another map. */
function noteNumaNode(host: MapHost, { info }: OpenMap, { flags, numaNode }: MapSpec): void {
  if (flags & CreateFlag.NUMA_NODE) host.numaNodes.set(info.id, numaNode);
}

function mayReuse(request: CreateMapRequest, error: unknown): boolean {
  const isTaken =
    error instanceof MapError && (error.reason === "PIN_EXISTS" || error.reason === "HOLD_EXISTS");
  return isTaken && request.ifExists === "reuse_compatible";
}

/** The map that the pin path or the hold's name stands for already. */
function findExisting(host: MapHost, request: CreateMapRequest): OpenMap | undefined {
  const { hold, pinPath } = request;
  const pinned = pinPath === undefined ? undefined : openPin(host, pinPath);
  if (!hold || !host.holds.has(hold.name)) return pinned;
  const held = host.openHeld(hold.name);
  if (!pinned) return held;
  const isSame = pinned.info.id === held.info.id;
  pinned.close();
  if (isSame || request.ifExists === "error") return held;
  held.close();
  throw new MapError(
    "MAP_INCOMPATIBLE",
    `the hold "${hold.name}" keeps map ${held.info.id}, but ${pinPath} is the pin of map ${pinned.info.id}`,
    {
      violations: [
        { field: "hold.name", description: `keeps map ${held.info.id}` },
        { field: "pin_path", description: `is the pin of map ${pinned.info.id}` },
      ],
    },
  );
}

function openPin(host: MapHost, path: string): OpenMap | undefined {
  try {
    return host.adopt(host.pins.open(path, "pin_path"));
  } catch (error) {
    if (error instanceof MapError && error.reason === "PIN_NOT_FOUND") return undefined;
    if (error instanceof MapError && error.reason === "NOT_A_MAP") throw pinTaken(path);
    throw error;
  }
}

function isPinOf(host: MapHost, path: string, map: OpenMap): boolean {
  const pinned = openPin(host, path);
  pinned?.close();
  return pinned?.info.id === map.info.id;
}

function pinTaken(path: string): MapError {
  return new MapError("PIN_EXISTS", `something is pinned at ${path} already`, {
    metadata: { path },
  });
}

async function reuse(host: MapHost, request: CreateMapRequest, existing: OpenMap) {
  try {
    await request.access?.admit(existing);
    const holdTaken = request.hold !== undefined && host.holds.has(request.hold.name);
    if (request.ifExists === "error") {
      if (!holdTaken) throw pinTaken(request.pinPath ?? "");
      throw new MapError(
        "HOLD_EXISTS",
        `the hold "${request.hold?.name}" keeps ${existing.label} already`,
        {
          metadata: { hold: request.hold?.name ?? "", id: String(existing.info.id) },
        },
      );
    }
    const violations = compareSpec(request.spec, existing.info, host.identity);
    if (violations.length > 0) {
      const differences = violations.map(({ field, description }) => `${field}: ${description}`);
      throw new MapError(
        "MAP_INCOMPATIBLE",
        `${existing.label} is there but is not as asked: ${differences.join("; ")}`,
        { violations, metadata: { id: String(existing.info.id) } },
      );
    }
    const map = keptRecord(host, existing, () => keepAliveBy(host, existing, request));
    return { map, created: false };
  } catch (error) {
    throw existing.named(error);
  } finally {
    existing.close();
  }
}

async function fill(
  host: MapHost,
  map: OpenMap,
  { hold, typing }: CreateMapRequest,
  elements: ElementsInput,
): Promise<void> {
  // No elements are fine for any map, also for those that cannot be written by key.
  if (isPlain(elements) && elements.count + elements.keys.length + elements.values.length === 0) {
    return;
  }
  requireKeyedOperation(host.capabilities, map, "update");
  const options = { typing, field: "initial_elements" };
  await withElements(host, map, elements, options, async (columns) => {
    // Elements of a PROG_ARRAY live by a pin, too.
    if (!hold && map.info.type !== MapType.PROG_ARRAY) refuseVanishing(map);
    await writeElements(host, map, columns, { mode: "any", lock: false }, "stop");
    if (hold) host.kept.add(map, columns.keys, true);
  });
}

/** Pins and holds a map as asked; what was done is undone where the rest fails. */
function keepAliveBy(host: MapHost, map: OpenMap, request: CreateMapRequest): void {
  const { hold, pinPath, createParents } = request;
  const isToPin = pinPath !== undefined && !isPinOf(host, pinPath, map);
  const unpin = isToPin ? host.pins.pin(pinPath, map.fd, createParents, "pin_path") : undefined;
  if (!hold) return;
  try {
    host.holds.hold(map.fd, map.info, hold);
  } catch (error) {
    unpin?.();
    throw error;
  }
}

/** Keeps a map alive, and tells of it; what can fail in the telling comes first. */
function keptRecord(host: MapHost, map: OpenMap, keep: () => void): MapRecord {
  const record = recordOf(host, map);
  keep();
  return { ...record, holds: host.holds.holdsOf(map.info.id) };
}

/** Keeps a map alive under a name. */
export async function holdMap(host: MapHost, ref: MapRef, hold: HoldRequest): Promise<MapRecord> {
  return withMap(host, ref, (map) => {
    ref.access?.admitNew({ name: map.info.name, type: map.info.type, hold: hold.name });
    return keptRecord(host, map, () => host.holds.hold(map.fd, map.info, hold));
  });
}

/** Ends a hold. */
export async function releaseMap(host: MapHost, name: string, access?: MapAccess): Promise<void> {
  if (access) await admitHeld(host, name, access);
  host.holds.release(name);
}

/** Starts the leases of holds anew. */
export async function keepAlive(
  host: MapHost,
  names: readonly string[],
  access?: MapAccess,
): Promise<Hold[]> {
  for (const name of access ? names : []) await admitHeld(host, name, access as MapAccess);
  return host.holds.keepAlive(names);
}

/** Admission takes its time, in which the hold may have come to keep another map. */
async function admitHeld(host: MapHost, held: string, access: MapAccess): Promise<void> {
  let admitted: number | undefined;
  while (admitted === undefined || host.holds.mapIdOf(held) !== admitted) {
    const map = await openMap(host, { by: "held", held, access });
    map.close();
    admitted = map.info.id;
  }
}

/** Pins a map at a path. */
export async function pinMap(
  host: MapHost,
  ref: MapRef,
  path: string,
  createParents: boolean,
): Promise<void> {
  await withMap(host, ref, ({ fd, info: { name, type } }) => {
    ref.access?.admitNew({ name, type, pinPath: path });
    host.pins.pin(path, fd, createParents, "path");
  });
}

/** Removes a map's pin. */
export async function unpinMap(
  host: MapHost,
  path: string,
  removeEmptyParents: boolean,
  access?: MapAccess,
): Promise<void> {
  if (access) await admitPinned(host, path, access);
  host.pins.unpin(path, removeEmptyParents, "path");
}

/** As {@link admitHeld}, of a pin. */
async function admitPinned(host: MapHost, path: string, access: MapAccess): Promise<void> {
  let admitted: number | undefined;
  for (;;) {
    const map = host.adopt(host.pins.open(path, "path"));
    try {
      if (map.info.id === admitted) return;
      await access.admit(map, { by: "pinPath", pinPath: path });
      admitted = map.info.id;
    } finally {
      map.close();
    }
  }
}

/** Forbids user space to write a map, for good. */
export async function freezeMap(host: MapHost, ref: MapRef): Promise<void> {
  await withMap(host, ref, freeze);
}
