import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.js";
import { compiledObject, loadedMaps } from "./support/bpf-object.js";
import { differencesFromBpftool, fillRandomly, isFillable } from "./support/typed-dump.js";

let daemon: TestDaemon;

beforeAll(async () => {
  daemon = await startDaemon();
  return () => daemon.dispose();
});

describe("a dump in JSON says what bpftool says", () => {
  test("of every kind of type that clang writes, with random elements", async () => {
    const pins = loadedMaps(compiledObject("kinds", daemon.directory), daemon.bpffs);
    expect(pins.length).toBe(10);
    for (const pin of pins) {
      const map = await daemon.client.map({ pinPath: pin }).get();
      if (!isFillable(map)) continue;
      if (!map.frozen) await fillRandomly(daemon.client, pin, 300);
      expect(await differencesFromBpftool(daemon.client, pin), pin).toEqual([]);
    }
  });

  test("of .data, .bss and .rodata as the compiler filled them", async () => {
    const directory = join(daemon.bpffs, "sections");
    const pins = loadedMaps(compiledObject("kinds", daemon.directory), directory);
    const sections = pins.filter((pin) => /_(data|bss|rodata)$/.test(pin));
    expect(sections).toHaveLength(3);
    for (const pin of sections) {
      expect(await differencesFromBpftool(daemon.client, pin), pin).toEqual([]);
    }
  });

  const published = publishedObjects();
  test.skipIf(published.length === 0)(
    "of the objects that xdp-tools publishes (skipped where they are not installed)",
    async () => {
      // The variants of a program have the same maps.
      const seen = new Set<string>();
      for (const object of published) {
        for (const pin of loadedMaps(object, daemon.bpffs)) {
          const map = await daemon.client.map({ pinPath: pin }).get();
          if (!isFillable(map) || map.btfValueTypeId === 0 || seen.has(map.name)) continue;
          seen.add(map.name);
          if (!map.frozen) await fillRandomly(daemon.client, pin, 100);
          expect(await differencesFromBpftool(daemon.client, pin), pin).toEqual([]);
        }
      }
      expect(seen).toContain("xdp_stats_map");
      expect(seen).toContain("filter_ipv6");
    },
  );
});

/** Objects of the Debian packages xdp-tools and libxdp1, and of other directories by choice. */
function publishedObjects(): string[] {
  const chosen = process.env.BPFMAPD_TEST_OBJECTS?.split(":") ?? [];
  const directories = [
    "/usr/lib/x86_64-linux-gnu/bpf",
    "/usr/lib/aarch64-linux-gnu/bpf",
    ...chosen,
  ];
  return directories.filter(existsSync).flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => /\.(o|elf)$/.test(name))
      .map((name) => join(directory, name)),
  );
}
