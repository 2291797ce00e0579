import type { CapabilityTable, MapOperation } from "./capability-table.js";
import type { Columns, CpuTarget, CpuView } from "./columns.js";
import { fieldError, MapError } from "./map-error.js";
import { isKeyless, type MapLayout } from "./map-layout.js";
import type { OpenMap } from "./open-map.js";

/*
 * Checks that decide before the kernel has to, so that bad input is refused whole and
 * nothing is changed.
 */

const HINTS: Partial<Record<MapOperation, string>> = {
  lookup: "use PeekElement or PopElements",
  update: "use PushElements",
  lookup_and_delete: "use PopElements",
};

/** Refuses an operation that this kernel does not have for the map's type. */
export function requireOperation(
  table: CapabilityTable,
  map: OpenMap,
  operation: MapOperation,
): void {
  if (table.supports(map.info.type, operation)) return;
  throw notSupported(map, operation, "this kernel does not have it for this map type");
}

/** As {@link requireOperation}, for calls that name elements by key. */
export function requireKeyedOperation(
  table: CapabilityTable,
  map: OpenMap,
  operation: MapOperation,
): void {
  if (isKeyless(map.info.type)) {
    const hint = HINTS[operation];
    throw notSupported(map, operation, `the map has no keys${hint ? `; ${hint}` : ""}`);
  }
  requireOperation(table, map, operation);
}

function notSupported(map: OpenMap, operation: MapOperation, why: string): MapError {
  return new MapError("OPERATION_NOT_SUPPORTED", `${map.label} has no ${operation}: ${why}`, {
    metadata: { map: map.label, operation },
  });
}

/** Refuses a column that is not `count` keys of the map. */
export function checkKeys(keys: Uint8Array, count: number, layout: MapLayout, field: string): void {
  const wanted = count * layout.keySize;
  if (keys.length === wanted) return;
  throw fieldError(
    "KEY_SIZE_MISMATCH",
    field,
    `${keys.length} bytes given, ${count} keys of ${layout.keySize} bytes are ${wanted}`,
  );
}

/** Refuses a column that is not `count` values of `size` bytes. */
export function checkValues(values: Uint8Array, count: number, size: number, field: string): void {
  const wanted = count * size;
  if (values.length === wanted) return;
  throw fieldError(
    "VALUE_SIZE_MISMATCH",
    field,
    `${values.length} bytes given, ${count} values of ${size} bytes are ${wanted}`,
  );
}

/** Refuses a single key of the wrong size. */
export function checkKey(key: Uint8Array, layout: MapLayout, field: string): void {
  if (key.length === layout.keySize) return;
  throw fieldError(
    "KEY_SIZE_MISMATCH",
    field,
    `${key.length} bytes given, a key of this map has ${layout.keySize}`,
  );
}

/** Refuses array indices past the end and prefixes longer than the trie's keys. */
export function checkKeysInRange(
  keys: Uint8Array,
  layout: MapLayout,
  kind: string | undefined,
  field = "keys",
): void {
  if (kind !== "index" && kind !== "prefix") return;
  const [limit, what] =
    kind === "index"
      ? [layout.maxEntries - 1, "index"]
      : [(layout.keySize - 4) * 8, "prefix length"];
  const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
  for (let at = 0; at < keys.length; at += layout.keySize) {
    const number = view.getUint32(at, true);
    if (number <= limit) continue;
    const index = at / layout.keySize;
    throw fieldError(
      "KEY_OUT_OF_RANGE",
      field,
      `key ${index} has the ${what} ${number}, the largest of this map is ${limit}`,
    ).with({ index: String(index) });
  }
}

/** Bytes of one value that a write takes: one slot's value, or the whole stride. */
export function writtenValueSize(layout: MapLayout, target: CpuTarget | undefined): number {
  return target ? layout.valueSize : layout.valueStride;
}

/** Refuses columns whose sizes do not fit the map; answers nothing where they do. */
export function checkColumns(
  columns: Columns,
  layout: MapLayout,
  target: CpuTarget | undefined,
  field = "elements",
): void {
  const { count, keys, values } = columns;
  checkKeys(keys, count, layout, `${field}.keys`);
  checkValues(values, count, writtenValueSize(layout, target), `${field}.values`);
}

/** Refuses a CPU that per-CPU values have no slot for, and any CPU for other maps. */
export function checkCpu(
  map: OpenMap,
  choice: CpuView | CpuTarget | undefined,
  field: "cpu_view" | "cpu_target" | "start.cpu_target",
): void {
  if (!choice) return;
  const { cpus } = map.layout;
  if (cpus.length === 0) {
    throw fieldError("FIELD_INVALID", field, `${map.label} is not per-CPU: leave it out`);
  }
  if ("cpu" in choice && !cpus.includes(choice.cpu)) {
    throw fieldError(
      "CPU_OUT_OF_RANGE",
      `${field}.cpu`,
      `CPU ${choice.cpu} is not one of the host's possible CPUs (${cpus.join(", ")})`,
    );
  }
  if ("fold" in choice) {
    const word = choice.fold.endsWith("u64") ? 8 : 4;
    if (map.layout.valueSize % word !== 0) {
      throw fieldError(
        "VALUE_SIZE_MISMATCH",
        `${field}.fold`,
        `values of ${map.layout.valueSize} bytes are no whole number of ${word}-byte words`,
      );
    }
  }
}
