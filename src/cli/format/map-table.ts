import type { Map as BpfMap } from "@bpfmapd/client/proto";
import { mapTypeName } from "../grammar/map-type.js";
import { holdText } from "./hold.js";
import type { Style } from "./style.js";
import { type TableColumn, tableText } from "./table.js";

/** Maps as a table for people. */
export function mapTable(maps: readonly BpfMap[], style: Style): string {
  const columns: TableColumn<BpfMap>[] = [
    { title: "ID", align: "right", cell: (map) => style.bold(String(map.id)) },
    { title: "TYPE", cell: (map) => style.cyan(mapTypeName(map.type) ?? `type ${map.type}`) },
    { title: "NAME", cell: (map) => map.name },
    { title: "KEY", align: "right", cell: (map) => `${map.keySize}B` },
    { title: "VALUE", align: "right", cell: (map) => `${map.valueSize}B` },
    { title: "MAX", align: "right", cell: (map) => String(map.maxEntries) },
    { title: "FLAGS", cell: (map) => `0x${map.flags.toString(16)}` },
    { title: "MEMORY", align: "right", cell: (map) => byteText(map.memlockBytes) },
    { title: "STATE", cell: (map) => (map.frozen ? style.yellow("frozen") : "") },
    { title: "HELD", cell: (map) => map.holds.map(holdText).join("\n") },
    { title: "PINNED", cell: (map) => map.pinPaths.join("\n") },
    { title: "PIDS", cell: (map) => map.holders.map((it) => `${it.comm}(${it.pid})`).join("\n") },
  ];
  return tableText(maps, columns, style);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes as people read them, such as "1.6 KiB"; "" for unknown. */
export function byteText(bytes: bigint | undefined): string {
  if (bytes === undefined) return "";
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${UNITS[unit]}`;
}
