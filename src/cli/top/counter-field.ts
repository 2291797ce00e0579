import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { CliError } from "../cli-error.js";
import { isPerCpu } from "../grammar/map-type.js";

/** Where in a value a counter stands, in bytes. */
export interface CounterField {
  readonly offset: number;
  readonly size: 4 | 8;
}

/** Parses OFFSET/SIZE, such as "8/4". */
export function parseField(text: string): CounterField {
  const parts = /^(\d{1,9})\/([48])$/.exec(text);
  if (!parts) {
    throw new CliError(`--field: "${text}" is not OFFSET/SIZE with a size of 4 or 8, such as 8/4`);
  }
  return { offset: Number(parts[1]), size: parts[2] === "4" ? 4 : 8 };
}

/** The field to count: the one asked for if it fits, otherwise the first of the value. */
export function fieldOf(map: BpfMap, asked: CounterField | undefined): CounterField {
  if (!asked && map.valueSize < 4) {
    throw new CliError(`values of ${map.valueSize} bytes hold no u32 or u64 counter`);
  }
  const field = asked ?? { offset: 0, size: map.valueSize >= 8 ? 8 : 4 };
  if (field.offset + field.size > map.valueSize) {
    throw new CliError(
      `--field: ${field.offset}/${field.size} does not lie in values of ${map.valueSize} bytes`,
    );
  }
  return field;
}

/** Reads a counter out of values of a map: of a per-CPU map the sum over the CPUs. */
export function counterReader(
  map: BpfMap,
  { offset, size }: CounterField,
  littleEndian: boolean,
): (value: Uint8Array) => bigint {
  const slotSize = Math.ceil(map.valueSize / 8) * 8;
  const slots = isPerCpu(map.type) ? map.cpus.length : 1;
  return (value) => {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    let sum = 0n;
    for (let slot = 0; slot < slots; slot++) {
      const at = slot * slotSize + offset;
      sum +=
        size === 4 ? BigInt(view.getUint32(at, littleEndian)) : view.getBigUint64(at, littleEndian);
    }
    return BigInt.asUintN(size * 8, sum);
  };
}
