import { Availability, type MapTypeCapabilities } from "@bpfmapd/client/proto";
import type { JsonWriter } from "./json-writer.js";
import type { Style } from "./style.js";

/** The map type section of bpftool's plain `feature probe`. */
export function featureText(types: readonly MapTypeCapabilities[], style: Style): string {
  const lines = types.map(({ name, availability }) => {
    switch (availability) {
      case Availability.AVAILABLE:
        return `eBPF map_type ${name} is ${style.green("available")}`;
      case Availability.UNAVAILABLE:
        return `eBPF map_type ${name} is ${style.red("NOT available")}`;
      default:
        return `eBPF map_type ${name} is ${style.yellow("not known: the daemon may not probe it")}`;
    }
  });
  return `${["Scanning eBPF map types...", ...lines].join("\n")}\n`;
}

/** The same in bpftool's JSON; null where the daemon may not probe the type. */
export function writeFeatures(json: JsonWriter, types: readonly MapTypeCapabilities[]): void {
  json.startObject();
  json.name("map_types");
  json.startObject();
  for (const { name, availability } of types) {
    const known =
      availability === Availability.AVAILABLE || availability === Availability.UNAVAILABLE;
    json.member(`have_${name}_map_type`, known ? availability === Availability.AVAILABLE : null);
  }
  json.endObject();
  json.endObject();
}
