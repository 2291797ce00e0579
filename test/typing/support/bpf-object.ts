import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";

const SOURCES = join(import.meta.dirname, "../objects");

/** Compiles one of test/typing/objects with its BTF, into a directory; the object's path. */
export function compiledObject(name: string, directory: string): string {
  const object = join(directory, `${name}.o`);
  const source = join(SOURCES, `${name}.bpf.c`);
  execFileSync("clang", ["-target", "bpf", "-g", "-O2", "-c", source, "-o", object]);
  return object;
}

/**
 * Loads an object's programs and pins its maps in a directory of its own in a bpffs; the
 * pins' paths. Empty where bpftool cannot load it.
 */
export function loadedMaps(object: string, bpffs: string): string[] {
  const pins = join(bpffs, basename(object).replaceAll(".", "_"));
  mkdirSync(pins, { recursive: true });
  spawnSync("unshare", [
    // Maps that pin themselves (LIBBPF_PIN_BY_NAME) do so in /sys/fs/bpf, and bpftool then
    // fails to pin them elsewhere; they are there all the same.
    ...["--mount", "sh", "-c", 'mount --bind "$0" /sys/fs/bpf && exec bpftool "$@"', pins],
    ...["prog", "loadall", object, "/sys/fs/bpf/programs", "pinmaps", "/sys/fs/bpf/maps"],
  ]);
  return [pins, join(pins, "maps")].filter(existsSync).flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => join(directory, name)),
  );
}

/** What bpftool prints of a map, as it stands. */
export function bpftoolDump(pin: string): string {
  return execFileSync("bpftool", ["-j", "map", "dump", "pinned", pin], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
}
