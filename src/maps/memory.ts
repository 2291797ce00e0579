import { ArenaMapMemory, ArrayMemory, KernelError } from "../kernel/index.js";
import { fieldError, MapError } from "./map-error.js";
import type { MapHost } from "./map-host.js";
import type { MapRef } from "./map-ref.js";
import { CreateFlag } from "./map-spec.js";
import { MapType } from "./map-type.js";
import type { OpenMap } from "./open-map.js";
import { withMap } from "./resolve.js";

/** A stretch of a map's memory, in bytes from its start. */
export interface MemoryStretch {
  readonly map: MapRef;
  readonly offset: bigint;
  readonly length: number;
}

/** Reads a stretch of the memory of an arena, or of an array that can be mapped. */
export async function readMemory(host: MapHost, stretch: MemoryStretch): Promise<Uint8Array> {
  return withMap(host, stretch.map, (map) => {
    const limit = host.limits.maxMessageBytes;
    if (stretch.length > limit) {
      throw new MapError(
        "LIMIT_EXCEEDED",
        `length: ${stretch.length} given, more than limits.max_message_bytes (${limit}): read it in parts`,
      );
    }
    return withMemory(map, false, (memory) => {
      const offset = checkStretch(memory, stretch, "length");
      return memory.read(offset, stretch.length);
    });
  });
}

/** Writes a stretch of such memory; programs may see a part of it before the whole. */
export async function writeMemory(
  host: MapHost,
  request: { readonly map: MapRef; readonly offset: bigint; readonly data: Uint8Array },
): Promise<void> {
  const { data } = request;
  return withMap(host, request.map, (map) =>
    host.writing(map, undefined, async () =>
      withMemory(map, true, (memory) => {
        const offset = checkStretch(memory, { ...request, length: data.length }, "data");
        memory.write(offset, data);
      }),
    ),
  );
}

/** A map's memory, mapped. */
interface Memory {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  unmap(): void;
}

function withMemory<T>(map: OpenMap, writable: boolean, use: (memory: Memory) => T): T {
  const memory = openMemory(map, writable);
  try {
    return use(memory);
  } catch (error) {
    if (error instanceof KernelError && error.errno === "EFAULT") throw missingPage(map);
    throw error;
  } finally {
    memory.unmap();
  }
}

function openMemory(map: OpenMap, writable: boolean): Memory {
  const { type, flags } = map.info;
  const isArray = type === MapType.ARRAY && (flags & CreateFlag.MMAPABLE) !== 0;
  if (!isArray && type !== MapType.ARENA) {
    throw new MapError(
      "OPERATION_NOT_SUPPORTED",
      `${map.label} has no memory to read and write: only arenas and arrays with MMAPABLE have`,
      { metadata: { map: map.label, operation: "map memory" } },
    );
  }
  try {
    return isArray ? arrayMemory(map.fd, writable) : ArenaMapMemory.open(map.fd, { place: false });
  } catch (error) {
    throw error instanceof KernelError ? explainMapping(map, error, isArray) : error;
  }
}

function arrayMemory(fd: number, writable: boolean): Memory {
  const memory = ArrayMemory.open(fd, { writable });
  const { bytes } = memory;
  return {
    size: bytes.length,
    read: (offset, length) => Uint8Array.from(bytes.subarray(offset, offset + length)),
    write: (offset, data) => bytes.set(data, offset),
    unmap: () => memory.unmap(),
  };
}

/** Where the stretch begins, if it lies in the map. */
function checkStretch(
  { size }: Memory,
  { offset, length }: Omit<MemoryStretch, "map">,
  lengthField: string,
): number {
  if (offset > BigInt(size)) {
    throw fieldError("FIELD_INVALID", "offset", `${offset} given, the map has ${size} bytes`);
  }
  const left = size - Number(offset);
  if (length <= left) return Number(offset);
  const why = `${length} bytes from ${offset} on given, the map has ${size} bytes`;
  throw fieldError("FIELD_INVALID", lengthField, why);
}

function explainMapping(map: OpenMap, error: KernelError, isArray: boolean): MapError {
  if (isArray) return map.explain(error.errno, "map the memory");
  if (error.errno === "ENXIO" || error.errno === "EINVAL") {
    return new MapError(
      "OBJECT_UNSUITABLE",
      `${map.label}: the arena has no address (map_extra), and no process is seen to have mapped it: the first mapping decides where it lies for good, so the daemon leaves that to its owner`,
      { metadata: { map: map.label, errno: error.errno }, cause: error },
    );
  }
  return new MapError(
    "KERNEL_ERROR",
    `${map.label}: cannot map the arena (${error.errno}): its addresses may be in use in the daemon`,
    { metadata: { map: map.label, errno: error.errno }, cause: error },
  );
}

function missingPage(map: OpenMap): MapError {
  const why = "a page of the stretch is not there, and the arena has SEGV_ON_FAULT";
  return fieldError("FIELD_INVALID", "offset", why).about(map.label);
}
