import { run } from "./host.js";

interface DumpedElement {
  key: string[];
  value?: string[];
  values?: { cpu: number; value: string[] }[];
}

const hexOf = (bytes: readonly string[]): string =>
  bytes.map((byte) => byte.replace("0x", "").padStart(2, "0")).join("");

/**
 * What bpftool reads from a map: hex of the value by hex of the key. A per-CPU value is
 * its CPUs' values joined by ",", without pad bytes.
 */
export function bpftoolDump(id: number): Map<string, string> {
  const elements: DumpedElement[] = JSON.parse(run("bpftool", "-j", "map", "dump", "id", `${id}`));
  return new Map(
    elements.map(({ key, value, values }) => [
      hexOf(key),
      value ? hexOf(value) : (values ?? []).map((slot) => hexOf(slot.value)).join(","),
    ]),
  );
}

/** Ids of the maps that bpftool lists. */
export function bpftoolMapIds(): number[] {
  const maps: { id: number }[] = JSON.parse(run("bpftool", "-j", "map", "list"));
  return maps.map(({ id }) => id);
}
