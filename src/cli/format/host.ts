import { ByteOrder, type Host } from "@bpfmapd/client/proto";
import type { JsonValue } from "./json-writer.js";
import { byteText } from "./map-table.js";
import type { Style } from "./style.js";

/** A host as JSON, with the names of the contract. */
export function hostJson(host: Host): JsonValue {
  return {
    boot_id: host.bootId,
    hostname: host.hostname,
    kernel_release: host.kernelRelease,
    machine: host.machine,
    byte_order: byteOrderName(host.byteOrder),
    possible_cpus: host.possibleCpus,
    online_cpus: host.onlineCpus,
    page_size: host.pageSize,
    daemon_version: host.daemonVersion,
    bpffs_roots: host.bpffsRoots,
    missing_capabilities: host.missingCapabilities.map(({ name, consequence }) => ({
      name,
      consequence,
    })),
    max_message_bytes: host.maxMessageBytes,
  };
}

/** A host for people. */
export function hostText(host: Host, style: Style): string {
  const rows: [string, string][] = [
    ["host", host.hostname],
    ["kernel", `${host.kernelRelease} ${host.machine}, ${byteOrderName(host.byteOrder)}`],
    ["boot id", host.bootId],
    ["possible CPUs", cpuList(host.possibleCpus)],
    ["online CPUs", cpuList(host.onlineCpus)],
    ["page size", `${host.pageSize} B`],
    ["daemon", `bpfmapd ${host.daemonVersion}`],
    ["bpffs roots", host.bpffsRoots.join(", ")],
    ["largest message", byteText(BigInt(host.maxMessageBytes))],
  ];
  for (const { name, consequence } of host.missingCapabilities) {
    rows.push(["missing", `${style.yellow(name)}: ${consequence}`]);
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${style.bold(label.padEnd(width))}  ${text}\n`).join("");
}

/** CPUs as the kernel lists them, such as "0-3,8". They must ascend. */
export function cpuList(cpus: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const cpu of cpus) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

function byteOrderName(order: ByteOrder): string {
  switch (order) {
    case ByteOrder.LITTLE_ENDIAN:
      return "little-endian";
    case ByteOrder.BIG_ENDIAN:
      return "big-endian";
    default:
      return "unknown";
  }
}
