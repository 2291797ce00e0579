import { closeFd, KernelError, mapCreate, mapFreeze } from "../kernel/index.js";
import { creationBtf } from "./btf-blob.js";
import { recordOf } from "./catalogue.js";
import type { Columns } from "./columns.js";
import { checkWritable, writeElements } from "./elements.js";
import type { HoldRequest } from "./hold-registry.js";
import { MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { Hold, MapRecord } from "./map-record.js";
import type { MapRef } from "./map-ref.js";
import type { MapSpec } from "./map-spec.js";
import type { OpenMap } from "./open-map.js";
import { openMap, withMap } from "./resolve.js";
import { checkSpec, explainCreateFailure } from "./spec-check.js";
import { compareSpec } from "./spec-compare.js";

/** What to create, and what is to keep it alive. */
export interface CreateMapRequest {
  readonly spec: MapSpec;
  readonly hold?: HoldRequest | undefined;
  readonly pinPath?: string | undefined;
  readonly createParents: boolean;
  readonly ifExists: "error" | "reuse_compatible";
  readonly initialElements?: Columns | undefined;
  readonly freeze: boolean;
}

/** Creates a map, fills it, and makes it findable: all of it, or nothing. */
export async function createMap(
  host: MapHost,
  request: CreateMapRequest,
): Promise<{ map: MapRecord; created: boolean }> {
  checkSpec(request.spec, host.capabilities, host.identity);
  const existing = findExisting(host, request);
  if (existing) return reuse(host, request, existing);
  const map = await createFrom(host, request.spec, "spec");
  try {
    if (request.initialElements) await fill(host, map, request.initialElements);
    if (request.freeze) freeze(map);
    keepAliveBy(host, map, request);
    return { map: recordOf(host, map), created: true };
  } catch (error) {
    // Another call may have taken the path or the name since it was looked up.
    const taken = mayReuse(request, error) ? findExisting(host, request) : undefined;
    if (!taken) throw error;
    return reuse(host, request, taken);
  } finally {
    map.close();
  }
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

function reuse(host: MapHost, request: CreateMapRequest, existing: OpenMap) {
  try {
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
    keepAliveBy(host, existing, request);
    return { map: recordOf(host, existing), created: false };
  } catch (error) {
    throw existing.named(error);
  } finally {
    existing.close();
  }
}

async function createFrom(host: MapHost, spec: MapSpec, field: string): Promise<OpenMap> {
  const template = await openTemplate(host, spec, field);
  try {
    return host.adopt(makeMap(spec, template));
  } catch (error) {
    if (error instanceof KernelError)
      throw explainCreateFailure(error, spec, host.capabilities, field);
    throw error;
  } finally {
    template?.close();
  }
}

function makeMap(spec: MapSpec, template: OpenMap | undefined): number {
  const btf = creationBtf(spec);
  try {
    return mapCreate({ ...spec, ...btf, innerMapFd: template?.fd });
  } finally {
    if (btf.btfFd !== undefined) closeFd(btf.btfFd);
  }
}

function openTemplate(host: MapHost, spec: MapSpec, field: string): Promise<OpenMap | undefined> {
  if (spec.innerMap) return openMap(host, spec.innerMap, `${field}.inner_map`);
  if (spec.innerMapSpec) return createFrom(host, spec.innerMapSpec, `${field}.inner_map_spec`);
  return Promise.resolve(undefined);
}

async function fill(host: MapHost, map: OpenMap, elements: Columns): Promise<void> {
  // No elements are fine for any map, also for those that cannot be written by key.
  if (elements.count + elements.keys.length + elements.values.length === 0) return;
  checkWritable(host, map, elements, undefined, "initial_elements");
  await writeElements(host, map, elements, { mode: "any", lock: false }, "stop");
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

/** Keeps a map alive under a name. */
export async function holdMap(host: MapHost, ref: MapRef, hold: HoldRequest): Promise<MapRecord> {
  return withMap(host, ref, (map) => {
    host.holds.hold(map.fd, map.info, hold);
    return recordOf(host, map);
  });
}

/** Ends a hold. */
export async function releaseMap(host: MapHost, name: string): Promise<void> {
  host.holds.release(name);
}

/** Starts the leases of holds anew. */
export async function keepAlive(host: MapHost, names: readonly string[]): Promise<Hold[]> {
  return host.holds.keepAlive(names);
}

/** Pins a map at a path. */
export async function pinMap(
  host: MapHost,
  ref: MapRef,
  path: string,
  createParents: boolean,
): Promise<void> {
  await withMap(host, ref, (map) => void host.pins.pin(path, map.fd, createParents, "path"));
}

/** Removes a map's pin. */
export async function unpinMap(
  host: MapHost,
  path: string,
  removeEmptyParents: boolean,
): Promise<void> {
  host.pins.unpin(path, removeEmptyParents, "path");
}

/** Forbids user space to write a map, for good. */
export async function freezeMap(host: MapHost, ref: MapRef): Promise<void> {
  await withMap(host, ref, freeze);
}

function freeze(map: OpenMap): void {
  if (map.isFrozen()) throw map.explain("EPERM", "freeze");
  try {
    mapFreeze(map.fd);
  } catch (error) {
    if (error instanceof KernelError) throw map.explain(error.errno, "freeze");
    throw error;
  }
}
