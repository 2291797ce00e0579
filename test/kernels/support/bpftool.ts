import { mustBpftool } from "../../cli/support/bpftool.js";

interface DumpedElement {
  readonly key: readonly string[];
  readonly value?: readonly string[];
  readonly values?: readonly { readonly cpu: number; readonly value: readonly string[] }[];
}

/** A map's elements as bpftool reads them: key to whole value, both in hex. */
export function bpftoolDump(id: number): Map<string, string> {
  const elements: DumpedElement[] = JSON.parse(mustBpftool("-j", "map", "dump", "id", String(id)));
  return new Map(elements.map((element) => [joined(element.key), wholeValue(element)]));
}

/** The slots of a per-CPU value back to back, as the kernel gives them. */
function wholeValue({ value, values }: DumpedElement): string {
  return value ? joined(value) : (values ?? []).map((slot) => joined(slot.value)).join("");
}

function joined(bytes: readonly string[]): string {
  return bytes.map((byte) => byte.replace("0x", "")).join("");
}

/** Whether a map with this id is there. */
export function bpftoolHas(id: number): boolean {
  const maps: { id: number }[] = JSON.parse(mustBpftool("-j", "map", "list"));
  return maps.some((map) => map.id === id);
}
