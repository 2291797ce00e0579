import type { KernelSymbols } from "../../kernel/index.js";
import { CreateFlag } from "../map-spec.js";
import { MapType } from "../map-type.js";
import type { ObjectValue, ProgramRef } from "../object-ref.js";
import type { OpenMap } from "../open-map.js";
import { nameInterface } from "./find-interface.js";
import { stackTraceDecoder } from "./stack-trace.js";
import { isUnreadable } from "./value-kind.js";

/** What a value that the kernel answered stands for. */
export type ValueDecoder = (value: Buffer) => ObjectValue;

const NONE: ObjectValue = { kind: "none" };

/** The decoder for a map's values; undefined where they are bytes and no objects. */
export function objectValueDecoder(
  map: OpenMap,
  bootId: string,
  symbols: KernelSymbols | undefined,
): ValueDecoder | undefined {
  const { type, flags } = map.info;
  if (isUnreadable(map.info)) return () => NONE;
  switch (type) {
    case MapType.PROG_ARRAY:
      return (value) => ({ kind: "program", program: { by: "id", id: value.readUInt32LE() } });
    case MapType.ARRAY_OF_MAPS:
    case MapType.HASH_OF_MAPS:
      return (value) => ({ kind: "map", map: { by: "id", id: value.readUInt32LE(), bootId } });
    case MapType.DEVMAP:
    case MapType.DEVMAP_HASH:
      return decodeDevice;
    case MapType.CPUMAP:
      return decodeCpu;
    case MapType.SOCKMAP:
    case MapType.SOCKHASH:
    case MapType.REUSEPORT_SOCKARRAY:
      return (value) => {
        const cookie = value.readBigUInt64LE();
        return { kind: "socket", socket: { by: "cookie", cookie } };
      };
    case MapType.STACK_TRACE:
      return stackTraceDecoder((flags & CreateFlag.STACK_BUILD_ID) !== 0, symbols);
    default:
      return undefined;
  }
}

function decodeDevice(value: Buffer): ObjectValue {
  const program = programAt(value);
  const device = { interface: nameInterface(value.readUInt32LE()), ...(program && { program }) };
  return { kind: "device", device };
}

function decodeCpu(value: Buffer): ObjectValue {
  const program = programAt(value);
  return { kind: "cpu", cpu: { queueSize: value.readUInt32LE(), ...(program && { program }) } };
}

/** The second word of a value of 8 bytes; 0 for no program. */
function programAt(value: Buffer): ProgramRef | undefined {
  const id = value.length < 8 ? 0 : value.readUInt32LE(4);
  return id === 0 ? undefined : { by: "id", id };
}
