/**
 * A process that writes map sets to an embedded store as fast as it can, beside a collector that
 * does not wait, and says on its output what was acknowledged, one JSON a line, until somebody
 * kills it. Arguments: the directory, a number.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Collector, MapSets } from "#dist/fleet/sets/index.js";
import { openEmbeddedStore } from "#dist/fleet/store/index.js";

const [, , directory = "", round = "0"] = process.argv;
const store = await openEmbeddedStore({ directory, reserveBytes: 0 });
const upkeep = { mostLayers: 4, recentLayers: 1, foldedChanges: 60, foldedShare: 0 };
const sets = new MapSets(store, { upkeep });
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
say({ opened: true });

const SPEC = {
  ownership: "exclusive",
  drift: "repair",
  map: {},
  selector: {},
  keySize: 4,
  valueSize: 2000,
};

/** Elements of which all have the same value, so that a mixture would be seen. */
function elements(count, value) {
  const keys = Buffer.alloc(4 * count);
  const values = Buffer.alloc(SPEC.valueSize * count);
  for (let index = 0; index < count; index++) {
    keys.writeUInt32BE(index, 4 * index);
    values.writeUInt32BE(value, SPEC.valueSize * index);
  }
  return { count, keys, values };
}

async function put() {
  for (let count = 1; ; count++) {
    const value = Number(round) * 100_000 + count;
    const { manifest } = await sets.put("put", SPEC, [elements(50 + (value % 100), value)]);
    say({ put: value, generation: manifest.generation });
  }
}

/** Each patch moves a marker on and counts in another element. */
async function patch() {
  await sets.put("patched", SPEC, [elements(1, 0)], { expected: 0 }).catch(() => {});
  for (let count = 1; ; count++) {
    const value = Number(round) * 100_000 + count;
    const { count: one, keys, values } = elements(8, value);
    await sets.patch("patched", { puts: { count: one, keys, values } });
    say({ patched: value });
  }
}

async function collect() {
  const collector = new Collector(store, { graceMs: 20 });
  for (;;) {
    const removed = await collector.run();
    if (removed > 0) say({ collected: removed });
    await sleep(10);
  }
}

await Promise.all([put(), patch(), collect()]);
